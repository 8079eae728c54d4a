//! What is run on the machine: one line of PowerShell, made of words of the catalogue and of the operator.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    field::{TechniqueId, Uuid},
    word,
};

word! {
    /// The name of a Windows computer, as NetBIOS has it.
    pub(crate) Computer, "a computer's name: 1 to 15 letters, digits and `-`, a letter or digit first", 1..=15,
    "^[A-Za-z0-9][A-Za-z0-9-]{0,14}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && byte == b'-'), str::to_ascii_uppercase
}

/// Seconds that a test has before Invoke-AtomicTest ends it.
pub(crate) const SECONDS: u32 = 30;
/// The exit code of a machine that is another than the one that was meant.
pub(crate) const OTHER_MACHINE: i64 = 70;

/// What is done with a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    CheckPrerequisites,
    Invoke,
    Cleanup,
}

impl Action {
    /// The step's name, which is that of its request contract.
    pub(crate) fn step(self) -> &'static str {
        match self {
            Self::CheckPrerequisites => "check",
            Self::Invoke => "invoke",
            Self::Cleanup => "cleanup",
        }
    }

    fn switch(self) -> &'static str {
        match self {
            Self::CheckPrerequisites => " -CheckPrereqs",
            Self::Invoke => "",
            Self::Cleanup => " -Cleanup",
        }
    }
}

/// The script. There is no place in it for anything but a name, a technique and an id, whose letters end nothing in PowerShell.
pub(crate) fn script(action: Action, computer: &Computer, technique: &TechniqueId, test: &Uuid) -> String {
    let switch = action.switch();
    format!(
        "$ProgressPreference='SilentlyContinue'; if ($env:COMPUTERNAME -ne '{computer}') {{ exit {OTHER_MACHINE} }}; \
         Import-Module Invoke-AtomicRedTeam; Invoke-AtomicTest {technique} -TestGuids {test}{switch} -TimeoutSeconds {SECONDS}"
    )
}

/// As `powershell.exe -EncodedCommand` takes it: UTF-16, little-endian, in base64.
pub(crate) fn encoded(script: &str) -> String {
    STANDARD.encode(script.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_plugin::testing::check_field;

    use super::*;

    #[test]
    fn a_computer_is_a_name_and_nothing_else() {
        check_field::<Computer>(
            &["LAB-WIN-1", "a", "7"],
            &["", "-a", "a b", "a'b", "a;b", "lab.example", "$(x)", "a\n", "é", &"x".repeat(16)],
            true,
        );
    }

    #[test]
    fn a_script_says_what_is_run_and_where() {
        let (computer, technique) = ("lab-win-1".parse().unwrap(), "T1082".parse().unwrap());
        let test = "66703791-c902-4560-8770-42b8a91f7667".parse().unwrap();
        let script = |action| script(action, &computer, &technique, &test);
        assert_eq!(
            script(Action::Invoke),
            "$ProgressPreference='SilentlyContinue'; if ($env:COMPUTERNAME -ne 'LAB-WIN-1') { exit 70 }; Import-Module Invoke-AtomicRedTeam; \
             Invoke-AtomicTest T1082 -TestGuids 66703791-c902-4560-8770-42b8a91f7667 -TimeoutSeconds 30"
        );
        assert!(script(Action::CheckPrerequisites).contains("42b8a91f7667 -CheckPrereqs -TimeoutSeconds"));
        assert!(script(Action::Cleanup).contains("42b8a91f7667 -Cleanup -TimeoutSeconds"));
        // As PowerShell's own help has it for `dir`.
        assert_eq!(encoded("dir"), "ZABpAHIA");
    }
}
