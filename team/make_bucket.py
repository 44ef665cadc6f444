"""Make the bucket `S3_BUCKET` where it is missing; endpoint and credentials by the variables of AWS."""

import os

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
try:
    s3.head_bucket(Bucket=os.environ["S3_BUCKET"])
except ClientError as absent:
    if absent.response["Error"]["Code"] != "404":
        raise
    s3.create_bucket(Bucket=os.environ["S3_BUCKET"])
