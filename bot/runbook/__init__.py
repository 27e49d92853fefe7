"""Commands as data: their definition (`command`), the command-line parser (`grammar`), and `dispatch`."""
