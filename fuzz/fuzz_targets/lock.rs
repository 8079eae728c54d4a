//! Lock files: what is read is written in one way, and read back alike.

#![no_main]

use casemate_signing::lock::LockFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(lock) = LockFile::parse(text) else { return };
    let written = lock.to_text();
    let again = LockFile::parse(&written).unwrap_or_else(|error| panic!("{error} in\n{written}"));
    assert_eq!(again, lock);
    assert_eq!(again.to_text(), written);
});
