//! What outsiders can check: tiles as any client of tiled logs reads them, proofs of single records, and witnesses.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casemate_audit::{
    CosignError, Cosigner, Failure, Keys, Options, ProofDamage, ProveError, Trust, Witness, add_cosigned, prove,
    prove_consistency, request, verify_proof, verify_with,
};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::fixture::{Folder, NOW, event, filled, key, quiet, small, wait};

type Node = [u8; 32];

/// A client of tiled logs that shares nothing with this crate: the specification, read again.
struct Client {
    prefix: PathBuf,
}

impl Client {
    /// Size and root, if the log's key has signed them.
    fn checkpoint(&self, key: &VerifyingKey) -> (u64, Node) {
        let note = fs::read_to_string(self.prefix.join("checkpoint")).unwrap();
        let (text, signatures) = note.split_once("\n\n").unwrap();
        let text = format!("{text}\n");
        let lines: Vec<&str> = text.lines().collect();
        let line = signatures.lines().next().unwrap().strip_prefix("\u{2014} ").unwrap();
        let (name, blob) = line.split_once(' ').unwrap();
        assert_eq!(name, lines[0]);
        let blob = STANDARD.decode(blob).unwrap();
        let id = Sha256::digest([name.as_bytes(), b"\n\x01", key.as_bytes()].concat());
        assert_eq!(blob[..4], id[..4]);
        key.verify_strict(text.as_bytes(), &Signature::from_slice(&blob[4..]).unwrap()).unwrap();
        (lines[1].parse().unwrap(), STANDARD.decode(lines[2]).unwrap().try_into().unwrap())
    }

    fn fetch(&self, kind: &str, number: u64, width: u64) -> Vec<u8> {
        assert!(number < 1000, "this client knows no larger logs");
        let path = match width {
            256 => format!("tile/{kind}/{number:03}"),
            width => format!("tile/{kind}/{number:03}.p/{width}"),
        };
        fs::read(self.prefix.join(path)).unwrap()
    }

    /// The leaves of a tree of this size, from tiles of level 0.
    fn leaves(&self, size: u64) -> Vec<Node> {
        let widths = (0..size.div_ceil(256)).map(|number| (number, (size - number * 256).min(256)));
        widths
            .flat_map(|(number, width)| self.fetch("0", number, width))
            .collect::<Vec<u8>>()
            .chunks(32)
            .map(|hash| hash.try_into().unwrap())
            .collect()
    }

    fn entries(&self, size: u64) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for number in 0..size.div_ceil(256) {
            let bundle = self.fetch("entries", number, (size - number * 256).min(256));
            let mut rest = bundle.as_slice();
            while let Some((length, more)) = rest.split_first_chunk::<2>() {
                let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
                entries.push(entry.to_vec());
                rest = more;
            }
        }
        entries
    }
}

fn hash(parts: &[&[u8]]) -> Node {
    Sha256::digest(parts.concat()).into()
}

/// RFC 6962, section 2.1.
fn mth(leaves: &[Node]) -> Node {
    match leaves {
        [] => hash(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(&[&[1], &mth(left), &mth(right)])
        }
    }
}

/// RFC 6962, section 2.1.1.
fn path(index: usize, leaves: &[Node]) -> Vec<Node> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut path, beside) =
        if index < split { (path(index, left), mth(right)) } else { (path(index - split, right), mth(left)) };
    path.push(beside);
    path
}

#[test]
fn a_client_of_tiled_logs_reads_the_folder_and_proves_every_record() {
    let folder = filled(700, quiet());
    let client = Client { prefix: folder.path("tlog") };
    let (size, root) = client.checkpoint(&key().verifying_key());
    assert_eq!(size, 700);
    let (leaves, entries) = (client.leaves(size), client.entries(size));
    assert_eq!(mth(&leaves), root);
    assert_eq!(client.fetch("1", 0, 2), [mth(&leaves[..256]), mth(&leaves[256..512])].concat());
    let records = folder.entries();
    for (index, id) in folder.ids().into_iter().enumerate().step_by(37) {
        assert_eq!(leaves[index], hash(&[&[0], &entries[index]]));
        let stated: String = entries[index].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(records[index]["event_hash"], stated, "an entry is the record's hash");
        let ours = prove(&folder.dir(), &key().verifying_key(), id).unwrap();
        let lines: Vec<String> = path(index, &leaves).iter().map(|hash| STANDARD.encode(hash)).collect();
        let stated: Vec<&str> = ours.split("\n\n").next().unwrap().lines().skip(3).collect();
        assert_eq!(stated, lines, "record {index}");
    }
}

#[test]
fn no_tile_can_change_or_go_unseen_and_they_come_back() {
    let folder = filled(300, quiet());
    for (name, of_these) in [
        ("tlog/tile/0/000", "0/000"),
        ("tlog/tile/0/001.p/44", "0/001"),
        ("tlog/tile/1/000.p/1", "1/000"),
        ("tlog/tile/entries/000", "entries/000"),
        ("tlog/tile/entries/001.p/44", "entries/001"),
        ("tlog/checkpoint", "checkpoint"),
    ] {
        let attack = folder.copy();
        let mut bytes = attack.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        attack.write(name, &bytes);
        let found = attack.verify();
        assert!(matches!(&found, Err(Failure::Tile { path, .. }) if path.contains(of_these)), "{name}: {found:?}");
        fs::remove_file(attack.path(name)).unwrap();
        let found = attack.verify();
        assert!(found.is_err() || name == "tlog/checkpoint", "{name}: {found:?}");
        fs::remove_dir_all(attack.path("tlog")).unwrap();
        assert_eq!(attack.verify().unwrap().tiled, 0);
        attack.open(quiet()).unwrap().0.close(NOW).unwrap();
        assert_eq!((attack.verify().unwrap().tiled, attack.read(name)), (300, folder.read(name)));
    }
}

#[test]
fn a_proof_needs_nothing_but_the_key_and_no_part_of_it_can_change() {
    let folder = filled(130, quiet());
    let (public, ids) = (key().verifying_key(), folder.ids());
    let proof = prove(&folder.dir(), &public, ids[70]).unwrap();
    let proved = verify_proof(&proof, &public, &[]).unwrap();
    assert_eq!((proved.index, proved.checkpoint.size, &proved.record), (70, 130, &folder.entries()[70]));
    for place in 0..proof.len() {
        let mut bytes = proof.clone().into_bytes();
        bytes[place] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            let found = verify_proof(&changed, &public, &[]);
            assert!(found.is_err() || place + 1 == proof.len(), "byte {place}");
        }
    }
    let stranger = SigningKey::from_bytes(&[1; 32]).verifying_key();
    assert!(matches!(verify_proof(&proof, &stranger, &[]), Err(ProofDamage::Checkpoint(_))));

    // The path of one record with another record in it.
    let other = prove(&folder.dir(), &public, ids[71]).unwrap();
    let swapped: Vec<&str> =
        proof.lines().enumerate().map(|(line, text)| if line == 1 { other.lines().nth(1).unwrap() } else { text }).collect();
    assert_eq!(verify_proof(&format!("{}\n", swapped.join("\n")), &public, &[]).unwrap_err(), ProofDamage::Path);
    assert!(matches!(verify_proof("", &public, &[]), Err(ProofDamage::Shape)));
}

#[test]
fn what_no_checkpoint_covers_is_not_proved_and_what_is_not_there_neither() {
    let folder = filled(10, quiet());
    let (log, _) = folder.open(quiet()).unwrap();
    let id = wait(log.event(event(11), NOW)).unwrap();
    let public = key().verifying_key();
    assert!(matches!(prove(&folder.dir(), &public, id), Err(ProveError::NotCovered { record: 10, covered: 10 })));
    log.close(NOW).unwrap();
    assert_eq!(verify_proof(&prove(&folder.dir(), &public, id).unwrap(), &public, &[]).unwrap().index, 10);
    let absent = "01234567-89ab-7000-8123-456789abcdef".parse().unwrap();
    assert!(matches!(prove(&folder.dir(), &public, absent), Err(ProveError::NoSuchRecord(_))));
    assert!(matches!(prove_consistency(&folder.dir(), 5, 12), Err(ProveError::NotCovered { .. })));
    assert!(matches!(prove_consistency(&folder.dir(), 12, 5), Err(ProveError::NotCovered { .. })));
}

fn cosigner(folder: &Folder) -> (Cosigner, Witness) {
    let key = SigningKey::from_bytes(&[9; 32]);
    (Cosigner::open(folder.dir(), key.clone()), Witness::of(key.verifying_key()))
}

#[test]
fn a_witness_follows_a_log_and_its_word_is_kept_and_checked() {
    let (folder, memory) = (filled(130, quiet()), Folder::new());
    let (public, (cosigner, witness)) = (key().verifying_key(), cosigner(&memory));
    let keys = Keys::only(public);
    let trust = |witnesses| Trust { key: &public, kept: &[], witnesses };
    let asked = std::slice::from_ref(&witness);
    assert!(matches!(verify_with(&folder.dir(), trust(asked)), Err(Failure::Unwitnessed(_))), "nobody has said anything");
    let mut old = 0;
    for size in [130, 131, 200] {
        let (log, _) = folder.open(quiet()).unwrap();
        for number in log.size()..size {
            wait(log.event(event(usize::try_from(number).unwrap()), NOW)).unwrap();
        }
        log.close(NOW).unwrap();
        let (checkpoint, note) = cosigner.cosign(&request(&folder.dir(), &public, old).unwrap(), &keys, NOW).unwrap();
        assert_eq!((checkpoint.size, cosigner.known(&checkpoint.origin).unwrap()), (size, size));
        let word = add_cosigned(&folder.dir(), &public, &witness, &note).unwrap();
        assert_eq!((word.size, i64::try_from(word.time).unwrap()), (size, NOW.as_millis() / 1000));
        old = size;
    }
    let report = verify_with(&folder.dir(), trust(asked)).unwrap();
    assert_eq!((report.cosigned.len(), report.cosigned[0].size), (1, 200));
    let proof = prove(&folder.dir(), &public, folder.ids()[3]).unwrap();
    assert_eq!(verify_proof(&proof, &public, asked).unwrap().cosigned[0].size, 200, "proofs carry it");
    let other = Witness::of(SigningKey::from_bytes(&[8; 32]).verifying_key());
    assert!(matches!(verify_proof(&proof, &public, std::slice::from_ref(&other)), Err(ProofDamage::Unwitnessed(_))));
    let others = [other];
    assert!(matches!(verify_with(&folder.dir(), trust(&others)), Err(Failure::Unwitnessed(_))));

    // A cosigned checkpoint is one that was kept elsewhere.
    let whole = folder.read("witnessed");
    let last = String::from_utf8(whole.clone()).unwrap().rfind("\ncasemate.audit/").unwrap() + 1;
    for place in last..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        folder.write("witnessed", &bytes);
        let found = verify_with(&folder.dir(), trust(asked));
        assert!(
            found.as_ref().is_err() || found.is_ok_and(|report| report.cosigned[0].size < 200) || place + 1 == whole.len(),
            "byte {place}"
        );
    }
    folder.write("witnessed", &whole);
    let attack = folder.copy();
    let text = String::from_utf8(folder.read("checkpoints")).unwrap();
    attack.write("checkpoints", text.split_inclusive('\n').take(5).collect::<String>().as_bytes());
    attack.write_lines(&folder.lines()[..100]);
    fs::remove_dir_all(attack.path("tlog")).unwrap();
    assert!(matches!(attack.verify(), Err(Failure::Truncated { line: 0, .. })));
}

#[test]
fn a_witness_cosigns_no_fork_no_rollback_and_nothing_unproved() {
    let (genuine, memory) = (filled(130, quiet()), Folder::new());
    let (public, (cosigner, _)) = (key().verifying_key(), cosigner(&memory));
    let keys = Keys::only(public);
    let shorter = filled(90, quiet());
    let forked = Folder::new();
    let (log, _) = forked.open(Options { checkpoint_every: 1000, ..quiet() }).unwrap();
    for number in 0..150 {
        wait(log.event(event(number + 1), NOW)).unwrap();
    }
    log.close(NOW).unwrap();
    let same_size = Folder::new();
    let (log, _) = same_size.open(Options { checkpoint_every: 1000, ..quiet() }).unwrap();
    for number in 0..130 {
        wait(log.event(event(number + 1), NOW)).unwrap();
    }
    log.close(NOW).unwrap();

    cosigner.cosign(&request(&genuine.dir(), &public, 0).unwrap(), &keys, NOW).unwrap();
    let ask = |folder: &Folder, old| cosigner.cosign(&request(&folder.dir(), &public, old).unwrap(), &keys, NOW);
    assert!(matches!(ask(&shorter, 0), Err(CosignError::Rollback { known: 130, size: 90 })));
    assert!(matches!(ask(&same_size, 130), Err(CosignError::Fork { known: 130 })));
    assert!(matches!(ask(&forked, 130), Err(CosignError::Fork { known: 130 })));
    assert!(matches!(ask(&forked, 0), Err(CosignError::Old { known: 130, old: 0 })), "not as if it had seen nothing");
    assert!(ask(&genuine, 130).is_ok(), "the same again is nothing new");

    let stranger = Keys::only(SigningKey::from_bytes(&[1; 32]).verifying_key());
    let request = request(&genuine.dir(), &public, 130).unwrap();
    assert!(matches!(cosigner.cosign(&request, &stranger, NOW), Err(CosignError::Checkpoint(_))));
    for wrong in ["", "old 130", "old x\n\n", &request.replace("old", "new"), &format!("{request}more")] {
        assert!(cosigner.cosign(wrong, &keys, NOW).is_err(), "{wrong}");
    }
    let witness = Witness::of(SigningKey::from_bytes(&[9; 32]).verifying_key());
    let foreign = fs::read_to_string(forked.path("tlog/checkpoint")).unwrap();
    assert!(
        matches!(add_cosigned(&genuine.dir(), &public, &witness, &foreign), Err(Failure::Withdrawn { .. })),
        "of another history"
    );
    let own = fs::read_to_string(genuine.path("tlog/checkpoint")).unwrap();
    assert!(
        matches!(add_cosigned(&genuine.dir(), &public, &witness, &own), Err(Failure::Unwitnessed(_))),
        "that nobody cosigned"
    );
}

#[test]
fn each_of_several_logs_of_one_key_has_a_name_of_its_own() {
    let (one, two) = (Folder::new(), Folder::new());
    let named = |name: &str| Options { name: name.to_owned(), ..small() };
    for (folder, name) in [(&one, "chain-0"), (&two, "chain-1")] {
        let (log, _) = folder.open(named(name)).unwrap();
        wait(log.event(event(0), NOW)).unwrap();
        log.close(NOW).unwrap();
        assert!(folder.verify().unwrap().origin.unwrap().ends_with(name));
    }
    let mixed = [one.read("checkpoints"), two.read("checkpoints")].concat();
    one.write("checkpoints", &mixed);
    assert!(one.verify().is_err());
}

#[test]
fn a_witness_of_another_kind_is_known_by_its_verifier_key() {
    let key = SigningKey::from_bytes(&[9; 32]).verifying_key();
    let blob = [&[4_u8][..], key.as_bytes()].concat();
    let id = |kind: u8| u32::from_be_bytes(hash(&[b"w.example/1\n", &[kind], key.as_bytes()])[..4].try_into().unwrap());
    let vkey = |name: &str, id: u32, blob: &[u8]| format!("{name}+{id:08x}+{}", STANDARD.encode(blob));
    assert_eq!(Witness::from_vkey(&vkey("w.example/1", id(4), &blob)).unwrap().name(), "w.example/1");
    let plain = [&[1_u8][..], key.as_bytes()].concat();
    for wrong in
        [vkey("w.example/2", id(4), &blob), vkey("w.example/1", id(1), &plain), vkey("w.example/1", 0, &blob), String::new()]
    {
        assert_eq!(Witness::from_vkey(&wrong), None, "{wrong}");
    }
}
