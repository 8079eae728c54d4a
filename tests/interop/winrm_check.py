"""pywinrm against the WinRM fake: `winrm_check.py http://127.0.0.1:PORT PASSWORD`.

pywinrm knows nothing of Casemate. What it can run, the fake gets right.
"""

from __future__ import annotations

import sys

from winrm.exceptions import InvalidCredentialsError, WSManFaultError
from winrm.protocol import Protocol

from checks import Checks

TEST = "66703791-c902-4560-8770-42b8a91f7667"


def protocol(origin: str, password: str) -> Protocol:
    return Protocol(endpoint=f"{origin}/wsman", transport="basic", username="tester", password=password)


def powershell(script: str) -> list[str]:
    import base64

    return ["-NoProfile", "-EncodedCommand", base64.b64encode(script.encode("utf-16-le")).decode()]


def fault(call) -> int | None:
    """The code of the WSManFaultError that a call raises; None if it raises none."""
    try:
        call()
    except WSManFaultError as raised:
        return raised.wsman_fault_code
    return None


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: winrm_check.py http://127.0.0.1:PORT PASSWORD")
    origin, password = sys.argv[1:]
    checks = Checks()
    machine = protocol(origin, password)
    shell = machine.open_shell()

    def run(command: str, arguments: list[str]) -> tuple[bytes, bytes, int]:
        begun = machine.run_command(shell, command, arguments)
        output = machine.get_command_output(shell, begun)
        machine.cleanup_command(shell, begun)
        return output

    checks.equal("hostname", run("hostname", []), (b"LAB-WIN-1\r\n", b"", 0))
    checks.equal("what is not there", run("nothing", [])[2], 1)
    out, _, code = run("powershell.exe", powershell(f"Invoke-AtomicTest T1082 -TestGuids {TEST} -TimeoutSeconds 30"))
    checks.equal("a test ends well", code, 0)
    checks.that("and prints piece by piece", b"Executing test: T1082" in out and b"Done executing" in out)
    checks.equal("on another machine, nothing", run("powershell.exe", powershell("if ($env:COMPUTERNAME -ne 'OTHER') { exit 70 }")), (b"", b"", 70))
    checks.equal("a command that is not known", fault(lambda: machine.get_command_output_raw(shell, "x")), 2150858829)
    machine.close_shell(shell, close_session=False)
    checks.equal("a shell that is closed", fault(lambda: machine.run_command(shell, "hostname")), 2150858843)
    try:
        protocol(origin, "wrong").open_shell()
        refused = False
    except InvalidCredentialsError:
        refused = True
    checks.that("a wrong password", refused)
    checks.end()


if __name__ == "__main__":
    main()
