import click

@click.command()
def lint() -> None:
    pass
