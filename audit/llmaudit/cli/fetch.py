import click

@click.command()
def fetch() -> None:
    pass
