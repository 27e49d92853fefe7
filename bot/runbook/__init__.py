"""Commands as data: what one is (`command`), how a line becomes a call (`grammar`), who runs it (`dispatch`)."""
