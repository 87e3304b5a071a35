"""Human labels: what people are asked, the sample they label, the files, and what comes of them.

Nothing here opens a store or runs a model: `llmaudit.reviewing` does the one, nobody the other.
"""
