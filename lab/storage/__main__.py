"""`python -m lab.storage`: serve the lab's S3 until SIGTERM or SIGINT."""

from lab.storage.server import main

if __name__ == "__main__":
    main()
