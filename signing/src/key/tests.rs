//! Keys: what is read back, and what is refused.

use super::*;

/// RFC 8410, section 10.3: the private key, and (10.1) its public key.
const RFC8410_PRIVATE: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const RFC8410_PUBLIC: &str =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

#[test]
fn the_keys_of_rfc_8410_are_read_and_written() {
    let private = PrivateKey::from_pem(RFC8410_PRIVATE, None).unwrap();
    assert_eq!(private.public_key().to_pem().unwrap(), RFC8410_PUBLIC);
    assert_eq!(private.danger_to_plain_pem().unwrap().as_str(), RFC8410_PRIVATE);
    assert_eq!(PublicKey::from_pem(RFC8410_PUBLIC).unwrap(), private.public_key());
}

#[test]
fn a_passphrase_protects_the_file() {
    let pem = key().to_encrypted_pem("correct horse").unwrap();
    assert!(PrivateKey::needs_passphrase(&pem) && !PrivateKey::needs_passphrase(RFC8410_PRIVATE));
    let back = PrivateKey::from_pem(&pem, Some("correct horse")).unwrap();
    assert_eq!(back.public_key(), key().public_key());
    assert_eq!(PrivateKey::from_pem(&pem, None).err(), Some(KeyError::PassphraseNeeded));
    assert_eq!(PrivateKey::from_pem(&pem, Some("wrong")).err(), Some(KeyError::WrongPassphrase));
    assert_eq!(key().to_encrypted_pem("").err(), Some(KeyError::EmptyPassphrase));
}

#[test]
fn other_files_are_refused() {
    let rsa_label = RFC8410_PUBLIC.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    // The X25519 object identifier (1.3.101.110) in place of the Ed25519 one (1.3.101.112).
    let x25519 = RFC8410_PUBLIC.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
    assert_eq!(PublicKey::from_pem(&x25519).err(), Some(KeyError::OtherAlgorithm("X25519".to_owned())));
    for pem in ["", "x", RFC8410_PRIVATE, &rsa_label, &RFC8410_PUBLIC.replace("ZuE", "Zu")] {
        assert_eq!(PublicKey::from_pem(pem).err(), Some(KeyError::NotAPublicKey), "{pem}");
    }
    for pem in ["", RFC8410_PUBLIC, &RFC8410_PRIVATE.replace("MC4CAQAw", "MC4CAQEw")] {
        assert_eq!(PrivateKey::from_pem(pem, None).err(), Some(KeyError::NotAPrivateKey), "{pem}");
    }
    let long = " ".repeat(MAX_KEY_FILE + 1);
    assert_eq!(PublicKey::from_pem(&long).err(), Some(KeyError::TooLarge));
    assert_eq!(PrivateKey::from_pem(&long, None).err(), Some(KeyError::TooLarge));
}

/// Made with `openssl genpkey`: P-256, RSA with 2048 bits, Ed448.
const OTHER_ALGORITHMS: [(&str, &str); 3] = [
    (
        "ECDSA",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb9Y0lh0b1NwXvSxK4BLNPnt81Ktb\n\
         EGe9YpEJzPRDGb8qnXNVpO9L3GfKiF1gfQ3dImQbj/cr+Zu/49Ro+g/a8Q==",
    ),
    (
        "RSA",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3PUrxESJWUwxIgi3VjWk\n\
         wJxhx3svKQV+RLQXOkgyjfvyP5JCEMMt2cQOxchKEre8bhpnxdt72ErruJrllIup\n\
         PS+/dmRBthV781Gnw78ID8rKwiXx4CYL6mhTLm1q2IErGmOzUsxG0Wwgl30XtW3q\n\
         kNwIA4TmIJ9Dtj7wV5wb0LrFXUiAkhg6RaiwTSep7aSbj/VV2JsJ+Z8zAMcGhqco\n\
         0+q8TEV6qCwBO4LC+zJG6a/yi0NKXmdSKk4mGAArINjIxKOKfilbN7AQlwVl4mdq\n\
         JE8VjUgVrfEyjl2wlg4SYye+2igZsj9So0OwYLKlElJpx6c60Bs960wr5SybVs9v\n\
         UQIDAQAB",
    ),
    ("Ed448", "MEMwBQYDK2VxAzoAAqhr/GRof2tLHI6Aij2yfWvhlaJJa46mfYZ1sTYN1TnW9V4S\njxEkXo6AFUA55OQOTPG+IXX3BwqA"),
];

#[test]
fn keys_of_other_algorithms_are_refused_by_their_name() {
    for (name, base64) in OTHER_ALGORITHMS {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
        let refused = PublicKey::from_pem(&pem).unwrap_err();
        assert_eq!((refused.code(), &refused), ("key-other-algorithm", &KeyError::OtherAlgorithm(name.to_owned())));
    }
}

fn signature(hex: &str) -> [u8; SIGNATURE_BYTES] {
    let (one, two) = hex.split_at(64);
    [bytes(one), bytes(two)].concat().try_into().unwrap()
}

/// RFC 8032, section 7.3: the one signature there by Ed25519ph, over `abc`.
#[test]
fn a_prehashed_signature_is_none() {
    let key = PrivateKey::from_seed(&bytes("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"));
    let prehashed = signature(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
         31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
    );
    let public = key.public_key();
    assert_eq!(public.verify_strict(b"abc", &prehashed), Err(InvalidSignature));
    let hashed = sha2::Sha512::digest(b"abc");
    assert_eq!(public.verify_strict(&hashed, &prehashed), Err(InvalidSignature));
    assert_eq!(public.verify_strict(b"abc", &key.sign(b"abc")), Ok(()));
}

/// The order of the group, little-endian (RFC 8032, section 5.1).
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

#[test]
fn a_malleable_signature_is_none() {
    let mut changed = key().sign(b"message");
    let mut carry = 0;
    for (byte, add) in changed.iter_mut().skip(32).zip(bytes(ORDER)) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    // S + L is the same number to a verifier that does not look.
    assert_eq!(carry, 0);
    assert_eq!(key().public_key().verify_strict(b"message", &changed), Err(InvalidSignature));
}

#[test]
fn a_signature_of_small_order_is_none() {
    // R of order 1, 2, 4 and 8, with S of zero: a lax verifier takes it for a weak key and any message.
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let zero = "0".repeat(64);
        let signature = signature(&format!("{point}{zero}"));
        assert_eq!(key().public_key().verify_strict(b"message", &signature), Err(InvalidSignature), "{point}");
    }
}

#[test]
fn a_public_key_that_is_not_its_own_is_refused() {
    let other = PrivateKey::from_seed(&[8; 32]).public_key();
    let pair = KeypairBytes { secret_key: [7; 32], public_key: Some(PublicKeyBytes(*other.as_bytes())) };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
    assert_eq!(PrivateKey::from_pem(&pem, None).err(), Some(KeyError::Mismatch));
    let pair = KeypairBytes { secret_key: [7; 32], public_key: Some(PublicKeyBytes(*key().public_key().as_bytes())) };
    assert!(PrivateKey::from_pem(&pair.to_pkcs8_pem(LineEnding::LF).unwrap(), None).is_ok());
}

fn bytes(hex: &str) -> [u8; 32] {
    *crate::Digest::from_hex(hex).unwrap().as_bytes()
}

#[test]
fn only_strict_public_keys_can_be_enrolled() {
    let cases = [
        // The neutral element, and points of order 2, 4 and 8 ("Taming the many EdDSAs", table 6).
        ("0100000000000000000000000000000000000000000000000000000000000000", KeyError::Weak),
        ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", KeyError::Weak),
        ("0000000000000000000000000000000000000000000000000000000000000000", KeyError::Weak),
        ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", KeyError::Weak),
        // y = p + 1, which is 1; and 1 with the sign of a zero x set.
        ("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", KeyError::NotCanonical),
        ("0100000000000000000000000000000000000000000000000000000000000080", KeyError::NotCanonical),
        // A mixed-order point (speccheck, case 3).
        ("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d", KeyError::Torsion),
        // No point has this y.
        ("0200000000000000000000000000000000000000000000000000000000000000", KeyError::NotAPoint),
    ];
    for (hex, expected) in cases {
        assert_eq!(PublicKey::from_bytes(&bytes(hex)).err(), Some(expected), "{hex}");
    }
    let generated = PrivateKey::generate().unwrap().public_key();
    assert_eq!(PublicKey::from_bytes(generated.as_bytes()), Ok(generated));
}

#[test]
fn signatures_verify_for_their_key_and_message_only() {
    let signature = key().sign(b"message");
    let public = key().public_key();
    assert_eq!(public.verify_strict(b"message", &signature), Ok(()));
    assert_eq!(public.verify_strict(b"massage", &signature), Err(InvalidSignature));
    assert_eq!(PrivateKey::from_seed(&[8; 32]).public_key().verify_strict(b"message", &signature), Err(InvalidSignature));
    for at in 0..SIGNATURE_BYTES {
        let mut changed = signature;
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1;
        }
        assert_eq!(public.verify_strict(b"message", &changed), Err(InvalidSignature), "byte {at}");
    }
}

#[test]
fn fingerprints_are_read_back_and_have_one_spelling() {
    let fingerprint = key().public_key().fingerprint();
    let text = fingerprint.to_string();
    assert_eq!(text.parse(), Ok(fingerprint));
    assert_eq!(text.len(), "SHA256:".len() + 43);
    for other in [&text[7..], &format!("{text}="), &text.replace("SHA256", "sha256"), &text[..49], "SHA256:", "MD5:aa"] {
        assert_eq!(other.parse::<Fingerprint>(), Err(InvalidFingerprint), "{other}");
    }
    // The last of 43 characters holds two bits that mean nothing; they have to be zero.
    let last = text.chars().last().unwrap();
    let loose = char::from(u8::try_from(last).unwrap() + 1);
    assert_eq!(format!("{}{loose}", &text[..text.len() - 1]).parse::<Fingerprint>(), Err(InvalidFingerprint));
}
