"""The pre-training process."""

if __name__ == "__main__":
    # Here, because the worker processes that render the clips import this module, and they need no model code.
    from videoguard.models.tiny.pretraining import pretrain
    from videoguard.models.tiny.request import PretrainingRequest
    from videoguard.subprocesses import serve

    serve(PretrainingRequest, pretrain)
