"""Stratus Red Team's plugin, served, against AWS as moto plays it: `stratus_check.py CASEMATE`, the program.

moto verifies every signature and permission once the first user has keys; boto3, with keys of its own, says what is there. Neither knows
anything of Casemate.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from mcp import Client, StdioServerParameters

from checks import Checks

ACCOUNT = "123456789012"
REGION = "eu-west-1"
OUTSIDER = "210987654321"
LOGS = "stratus-logs"
USER = "stratus-red-team-malicious-iam-user"
TRAIL = "stratus-red-team-cloudtrail-"
BUCKET = f"stratus-red-team-bdbp-{ACCOUNT}-{REGION}"
TECHNIQUES = ["aws.defense-evasion.cloudtrail-stop", "aws.defense-evasion.cloudtrail-delete",
              "aws.defense-evasion.cloudtrail-event-selectors", "aws.exfiltration.s3-backdoor-bucket-policy",
              "aws.persistence.iam-create-admin-user"]
# What boto3 sends before anything is verified: a user, its policy and its keys, for each of the two.
UNVERIFIED = 6
PLUGIN = Path(__file__).parent.parent.parent / "plugins" / "stratus"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Aws:
    """moto, and clients of it."""

    def __init__(self) -> None:
        port = free_port()
        self.origin = f"http://127.0.0.1:{port}"
        env = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(UNVERIFIED), "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
        program = Path(sys.executable).with_name("moto_server")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], env=env, **quiet)
        for _ in range(150):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.2)
        self.keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
        made = {}
        for name in ("onlooker", "stratus"):
            iam = self.client("iam")
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=everything)
            made[name] = iam.create_access_key(UserName=name)["AccessKey"]
        self.keys = {"aws_access_key_id": made["onlooker"]["AccessKeyId"], "aws_secret_access_key": made["onlooker"]["SecretAccessKey"]}
        self.plugin_key = made["stratus"]

    def client(self, service: str):
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
        return boto3.client(service, endpoint_url=self.origin, region_name=REGION, config=config, **self.keys)

    def end(self) -> None:
        self.server.terminate()
        self.server.wait()


class House:
    """A configured casemate with the plugin."""

    def __init__(self, program: str, folder: Path, aws: Aws) -> None:
        self.program, self.folder = program, folder / "operator"
        self.folder.mkdir(mode=0o700)
        key = folder / "publisher.pem"
        fingerprint = self.run("--format", "json", "key", "new", str(key), "--no-passphrase")["fingerprint"]
        package = self.run("--format", "json", "pack", str(PLUGIN), "--out", str(folder / "packages"))["component"]
        self.run("sign", package, "--key", str(key))
        self.run("trust", "add", "casemate", "--key", f"{key}.pub", "--fingerprint", fingerprint, "--environment", "dev")
        self.secret("access_key", aws.plugin_key["AccessKeyId"])
        self.secret("secret_key", aws.plugin_key["SecretAccessKey"])
        names = ["sts", "iam", "cloudtrail", "cloudtrail-warm-up", "cloudtrail-attack", "s3"]
        upstreams = "\n".join(f'upstream.{name} = {{ origin = "{aws.origin}", allow_private = ["127.0.0.1/32"] }}' for name in names)
        tools = "\n".join(f'tools.{tool} = {{ enabled = true, dry_run = false, approval = "none" }}' for tool in ("warm_up", "detonate", "revert", "clean_up"))
        (self.folder / "casemate.toml").write_text(f"""environment = "dev"

[plugins.stratus]
{upstreams}
secret.access_key = {{ file = "access_key" }}
secret.secret_key = {{ file = "secret_key" }}
settings = {{ region = "{REGION}", log_bucket = "{LOGS}", outsider = "{OUTSIDER}" }}
{tools}

[grants.interop]
principals = ["local"]
tools = ["stratus_*"]
max_effect = "destructive"
scope.technique = {json.dumps(TECHNIQUES)}
scope.account = ["{ACCOUNT}", "999999999999"]
scope.region = ["{REGION}"]
budget = [{{ calls = 10_000, per = "1h" }}]
""")
        approval = self.run("--format", "json", "verify", package)["approval"]
        self.run("install", package, "--yes", "--approve", approval)

    def secret(self, name: str, value: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(value)

    def forget(self) -> None:
        """Nobody has read anything. Where nobody has, there is nothing to forget, and the program says so."""
        subprocess.run([self.program, "--dir", str(self.folder), "sessions", "clear", "local"], capture_output=True, check=False)

    def run(self, *arguments: str):
        done = subprocess.run([self.program, "--dir", str(self.folder), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"casemate {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout) if "--format" in arguments else None

    def serving(self) -> StdioServerParameters:
        return StdioServerParameters(command=self.program, args=["--dir", str(self.folder), "serve", "--log", "error"])


class Caller:
    """Somebody who has read nothing yet, each time."""

    def __init__(self, client: Client, house: House) -> None:
        self.client, self.house = client, house
        self.heard: list[str] = []

    async def __call__(self, tool: str, technique: str, account: str = ACCOUNT):
        self.house.forget()
        arguments = {"technique": technique, "account": account, "region": REGION}
        result = await self.client.call_tool(f"stratus_{tool}", arguments)
        self.heard.append(str(result))
        return result

    async def state(self, tool: str, technique: str):
        """How far a technique is after this; what went wrong, where something did."""
        result = await self(tool, technique)
        return str(result.content) if result.is_error else result.structured_content["state"]


async def trails(call: Caller, aws: Aws, checks: Checks) -> None:
    cloudtrail = aws.client("cloudtrail")
    for name in ("stop", "delete", "event-selectors"):
        technique, trail = f"aws.defense-evasion.cloudtrail-{name}", TRAIL + name
        checks.equal(f"{name}: cold", await call.state("status", technique), "cold")
        refused = await call("detonate", technique)
        checks.that(f"{name}: there is nothing to attack yet", refused.is_error and "cold" in str(refused), refused)
        checks.equal(f"{name}: warm", await call.state("warm_up", technique), "warm")
        checks.that(f"{name}: it logs", cloudtrail.get_trail_status(Name=trail)["IsLogging"])
        arn = cloudtrail.get_trail(Name=trail)["Trail"]["TrailARN"]
        tags = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]
        checks.equal(f"{name}: it is marked", tags, [{"Key": "StratusRedTeam", "Value": "true"}])
        checks.equal(f"{name}: warm again is warm", await call.state("warm_up", technique), "warm")
    stop, delete, select = TECHNIQUES[:3]
    checks.equal("stop: detonated", await call.state("detonate", stop), "detonated")
    checks.that("stop: it logs no more", not cloudtrail.get_trail_status(Name=TRAIL + "stop")["IsLogging"])
    checks.equal("stop: AWS says so", await call.state("status", stop), "detonated")
    checks.equal("stop: reverted", await call.state("revert", stop), "warm")
    checks.that("stop: it logs again", cloudtrail.get_trail_status(Name=TRAIL + "stop")["IsLogging"])
    checks.equal("event selectors: detonated", await call.state("detonate", select), "detonated")
    selectors = cloudtrail.get_event_selectors(TrailName=TRAIL + "event-selectors")["EventSelectors"]
    checks.equal("event selectors: no management events", [one["IncludeManagementEvents"] for one in selectors], [False])
    checks.equal("event selectors: reverted", await call.state("revert", select), "warm")
    selectors = cloudtrail.get_event_selectors(TrailName=TRAIL + "event-selectors")["EventSelectors"]
    checks.equal("event selectors: management events", [one["IncludeManagementEvents"] for one in selectors], [True])
    checks.equal("delete: gone", await call.state("detonate", delete), "cold")
    for technique in (stop, select):
        checks.equal("cleaned up", await call.state("clean_up", technique), "cold")
    checks.equal("only the trail of somebody else is left", [one["Name"] for one in cloudtrail.list_trails()["Trails"]], ["of-somebody-else"])


async def user(call: Caller, aws: Aws, checks: Checks) -> None:
    iam, technique = aws.client("iam"), TECHNIQUES[4]
    checks.equal("admin user: needs nothing", await call.state("warm_up", technique), "cold")
    checks.equal("admin user: detonated", await call.state("detonate", technique), "detonated")
    policies = iam.list_attached_user_policies(UserName=USER)["AttachedPolicies"]
    checks.equal("admin user: has every right", [one["PolicyName"] for one in policies], ["AdministratorAccess"])
    keys = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    checks.equal("admin user: has a key", len(keys), 1)
    heard = " ".join(call.heard)
    checks.that("admin user: nobody is told the key", keys[0]["AccessKeyId"] not in heard and "SecretAccessKey" not in heard)
    twice = await call("detonate", technique)
    checks.that("admin user: not twice", twice.is_error and "cannot be detonated twice" in str(twice), twice)
    checks.equal("admin user: still one key", len(iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]), 1)
    checks.equal("admin user: reverted", await call.state("revert", technique), "cold")
    left = sorted(one["UserName"] for one in iam.list_users()["Users"])
    checks.equal("admin user: gone, and nobody else is", left, ["onlooker", "stratus"])
    iam.create_user(UserName=USER)
    foreign = await call("revert", technique)
    checks.that("a user of that name without the mark is left alone", foreign.is_error and "lacks the tag" in str(foreign), foreign)
    iam.get_user(UserName=USER)
    iam.delete_user(UserName=USER)


async def bucket(call: Caller, aws: Aws, checks: Checks) -> None:
    s3, technique = aws.client("s3"), TECHNIQUES[3]
    checks.equal("bucket: cold", await call.state("status", technique), "cold")
    checks.equal("bucket: warm", await call.state("warm_up", technique), "warm")
    checks.equal("bucket: where it was asked for", s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"], REGION)
    checks.equal("bucket: detonated", await call.state("detonate", technique), "detonated")
    statement = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"][0]
    checks.equal("bucket: open to the outsider", statement["Principal"], {"AWS": f"arn:aws:iam::{OUTSIDER}:root"})
    refused = await call("clean_up", technique)
    checks.that("bucket: reverted first", refused.is_error and "revert it first" in str(refused), refused)
    checks.equal("bucket: reverted", await call.state("revert", technique), "warm")
    try:
        s3.get_bucket_policy(Bucket=BUCKET)
        checks.that("bucket: no policy", False)
    except ClientError as error:
        checks.equal("bucket: no policy", error.response["Error"]["Code"], "NoSuchBucketPolicy")
    checks.equal("bucket: cleaned up", await call.state("clean_up", technique), "cold")
    checks.equal("bucket: gone, and no other is", [one["Name"] for one in s3.list_buckets()["Buckets"]], [LOGS])


async def session(house: House, aws: Aws, checks: Checks) -> None:
    aws.client("s3").create_bucket(Bucket=LOGS, CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("cloudtrail").create_trail(Name="of-somebody-else", S3BucketName=LOGS)
    async with Client(house.serving()) as client:
        call = Caller(client, house)
        await trails(call, aws, checks)
        await user(call, aws, checks)
        await bucket(call, aws, checks)
        other = await call("detonate", TECHNIQUES[4], "999999999999")
        checks.that("another account than the keys are of", other.is_error and "not of the account" in str(other), other)
        ungranted = await call("detonate", TECHNIQUES[4], "111111111111")
        checks.that("an account that is not granted", ungranted.is_error and "denied" in str(ungranted.structured_content), ungranted)
    house.secret("secret_key", "another" * 6)
    async with Client(house.serving()) as client:
        forged = await Caller(client, house)("detonate", TECHNIQUES[4])
        checks.that("another secret signs nothing", forged.is_error and "refused the keys" in str(forged), forged)
    checks.that("and did nothing", USER not in [one["UserName"] for one in aws.client("iam").list_users()["Users"]])


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: stratus_check.py CASEMATE")
    checks = Checks()
    aws = Aws()
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(session(House(sys.argv[1], Path(folder), aws), aws, checks))
    finally:
        aws.end()
    checks.end()


if __name__ == "__main__":
    main()
