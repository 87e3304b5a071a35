import click

@click.command("list")
def list_() -> None:
    pass
