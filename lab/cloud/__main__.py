"""`python -m lab.cloud`: serve the lab's cloud until SIGTERM or SIGINT."""

from lab.cloud.server import main

if __name__ == "__main__":
    main()
