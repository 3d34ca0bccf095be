"""What every client of a network does: find its server, submit jobs, read what becomes of them."""
