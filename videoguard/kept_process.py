"""The child process that answers the calls of a block of `keeping_process`."""

from videoguard.subprocesses import serve_all

if __name__ == "__main__":
    serve_all()
