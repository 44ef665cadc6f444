"""The pre-training process."""

from videoguard.subprocesses import serve

if __name__ == "__main__":
    # Imported here: the processes that render clips import this module again, and would load the model libraries too.
    from videoguard.models.tiny.pretraining import pretrain
    from videoguard.models.tiny.request import PretrainingRequest

    serve(PretrainingRequest, pretrain)
