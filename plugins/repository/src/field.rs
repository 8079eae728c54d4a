//! The words of GitHub's API, as narrow as the manifest has them.

use casemate_plugin::word;

/// What a name may hold besides letters and digits, not at its beginning.
fn is_name(text: &str, besides: &[u8]) -> bool {
    text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && besides.contains(&byte))
}

/// A part of a path: no dot and no hyphen first, so that it is neither hidden nor an option nor a step upwards.
fn is_segment(text: &str) -> bool {
    (1..=100).contains(&text.len()) && !text.starts_with(['.', '-']) && text.bytes().all(is_path_byte)
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

word! {
    /// A user or an organisation.
    pub Owner, "an owner: 1 to 39 letters, digits and `-`, a letter or digit first", 1..=39, "^[A-Za-z0-9][A-Za-z0-9-]{0,38}$",
    |text| is_name(text, b"-"), str::to_owned
}

word! {
    /// A repository.
    pub Repository, "a repository's name: 1 to 100 letters, digits, `.`, `_` and `-`, a letter or digit first", 1..=100,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", |text| is_name(text, b"._-"), str::to_owned
}

word! {
    /// A folder at the top of a repository. The first character is one that a grant can name.
    pub Folder, "a top folder: 1 to 100 letters, digits, `.`, `_` and `-`, a letter or digit first", 1..=100,
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", |text| is_name(text, b"._-"), str::to_owned
}

word! {
    /// What is below a top folder.
    pub Below, "a path below the folder: 1 to 4 names of letters, digits, `.`, `_` and `-`, no `.` first, with `/` between them",
    1..=403, "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,3}$",
    |text| text.split('/').count() <= 4 && text.split('/').all(is_segment), str::to_owned
}

word! {
    /// A branch that may be pushed to.
    pub Branch, "a branch to push to: casemate-, a letter or digit, then up to 79 letters, digits, `.`, `_` and `-`", 10..=89,
    "^casemate-[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
    |text| text.strip_prefix("casemate-").is_some_and(|rest| is_name(rest, b"._-")), str::to_owned
}

word! {
    /// A branch, a tag or a commit to read.
    pub Ref, "a branch, tag or commit: 1 to 200 letters, digits, `.`, `_`, `/` and `-`, a letter, digit or `_` first", 1..=200,
    "^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$",
    |text| !text.starts_with(['.', '-', '/']) && text.bytes().all(|byte| byte == b'/' || is_path_byte(byte)), str::to_owned
}

impl Below {
    /// Its names, one to four.
    pub fn segments(&self) -> Vec<&str> {
        self.as_str().split('/').collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn names_are_what_a_grant_can_name() {
        check::<Owner>(&["acme", "Acme-Inc", "7"], &["", "-x", "a_b", "a/b", "a.b", "é", &"x".repeat(40)], true);
        let bad = ["", ".github", "-x", "_x", "..", "a/b", "a b", "a\n", "é", &"x".repeat(101)];
        check::<Repository>(&["detections", "sigma.rules_2-x"], &bad, true);
        check::<Folder>(&["rules", "docs.v2"], &bad, true);
    }

    #[test]
    fn a_path_stays_below_its_folder() {
        check::<Below>(
            &["x.yml", "windows/process/x.yml", "_deprecated/a/b/c"],
            &[
                "",
                "/x",
                "x/",
                "a//b",
                "..",
                "../x",
                "a/../b",
                "a/./b",
                ".github/x",
                "a/.hidden",
                "-rf",
                "a b",
                "a\\b",
                "a%2Fb",
                "1/2/3/4/5",
            ],
            true,
        );
        assert_eq!("a/b/c".parse::<Below>().unwrap().segments(), ["a", "b", "c"]);
    }

    #[test]
    fn a_branch_to_push_to_says_whose_it_is() {
        let bad = [
            "",
            "main",
            "master",
            "casemate",
            "casemate-",
            "casemate-.x",
            "Casemate-x",
            "refs/heads/casemate-x",
            "casemate-a/b",
            "x-casemate-y",
            " casemate-x",
        ];
        check::<Branch>(&["casemate-rules", "casemate-2024.11_x"], &bad, true);
        check::<Ref>(&["main", "feature/x", "v1.0", &"a".repeat(40)], &["", "-x", "/x", ".x", "a b", "a:b", "a?ref=b"], true);
    }
}
