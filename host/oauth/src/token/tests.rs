//! Every attack on a token that RFC 8725 names, and those that this server's own rules are for. Keys are made as the tests run.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use casemate_policy::Timestamp;
use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::{Algorithm, Caller, KeySet, KeySetError, MAX_TOKEN, Presented, Refused, Rules};

const NOW: u64 = 1_800_000_000;
const RSA_2048: &[u8] = include_bytes!("../../testing/rsa-2048.p8");
const RSA_1024: &str = include_str!("../../testing/rsa-1024.modulus");

/// An authorization server with a key of each kind.
struct Issuer {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    rsa: RsaKeyPair,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(RSA_2048).unwrap(),
        }
    }

    fn ec_jwk(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]) })
    }

    fn ed_jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": BASE64.encode(self.ed.public_key()) })
    }

    fn rsa_jwk(&self) -> Value {
        // A DER sequence of two integers: 2048 bits after a zero byte, and 65537.
        let n = BASE64.encode(&self.rsa.public().as_ref()[9..265]);
        json!({ "kty": "RSA", "kid": "rsa", "n": n, "e": "AQAB", "alg": "RS256", "use": "sig" })
    }

    fn keys(&self) -> KeySet {
        keys(&[self.ec_jwk(), self.ed_jwk(), self.rsa_jwk()]).unwrap()
    }

    /// A token with this header and payload, signed as a key of this kind signs, whatever the header says.
    fn sign(&self, with: Algorithm, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
        let signature = match with {
            Algorithm::Es256 => self.ec.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.ed.sign(signed.as_bytes()).as_ref().to_vec(),
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn token(&self, with: Algorithm, header: &Value, claims: &Value) -> String {
        self.sign(with, &header.to_string(), &claims.to_string())
    }

    /// A good token but for these claims; null takes one away.
    fn with(&self, changes: Value) -> String {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => drop(claims.as_object_mut().unwrap().insert(name.clone(), value.clone())),
            }
        }
        self.token(Algorithm::Es256, &header(), &claims)
    }
}

fn keys(jwks: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes(), &Algorithm::ALL)
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec" })
}

fn claims() -> Value {
    json!({
        "iss": "https://as.example/soc", "aud": "https://casemate.example/mcp", "sub": "alice", "client_id": "console", "iat": NOW - 10,
        "nbf": NOW - 10, "exp": NOW + 300, "scope": "casemate casemate.write", "jti": "1", "groups": ["analysts", "other"],
    })
}

fn rules() -> Rules {
    Rules {
        issuer: "https://as.example/soc".into(),
        resource: "https://casemate.example/mcp".into(),
        algorithms: Algorithm::ALL.into(),
        clock_skew: 60,
        scopes: BTreeSet::from(["casemate".parse().unwrap()]),
        roles_claim: Some("groups".parse().unwrap()),
        roles: BTreeMap::from([
            ("soc".parse().unwrap(), BTreeSet::from(["analysts".to_owned()])),
            ("lead".parse().unwrap(), BTreeSet::from(["leads".to_owned()])),
        ]),
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(0).plus_millis(second * 1000)
}

fn judge(token: &str, keys: &KeySet) -> Result<Caller, Refused> {
    judge_at(token, keys, &rules(), NOW)
}

fn judge_at(token: &str, keys: &KeySet, rules: &Rules, now: u64) -> Result<Caller, Refused> {
    Presented::read(token, rules)?.verify(keys, rules, at(now))
}

fn refused(token: &str, issuer: &Issuer, why: Refused) {
    assert_eq!(judge(token, &issuer.keys()), Err(why), "{token}");
}

#[test]
fn a_good_token_proves_its_caller_by_each_algorithm() {
    let issuer = Issuer::new();
    for (algorithm, kid) in [(Algorithm::Es256, "ec"), (Algorithm::EdDsa, "ed"), (Algorithm::Rs256, "rsa")] {
        let header = json!({ "alg": algorithm.as_str(), "typ": "at+jwt", "kid": kid });
        let caller = judge(&issuer.token(algorithm, &header, &claims()), &issuer.keys()).unwrap();
        assert_eq!(caller.id.as_str(), "oidc:sub:alice");
        assert_eq!(
            caller.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            ["soc"],
            "what is not listed confers nothing"
        );
        assert_eq!(caller.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["casemate", "casemate.write"]);
        assert_eq!(caller.expires, at(NOW + 360));
    }
}

#[test]
fn types_of_access_tokens_pass_and_others_do_not() {
    let issuer = Issuer::new();
    for (typ, passes) in [
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("JWT"), true),
        (json!(null), false),
        (json!("dpop+jwt"), false),
        (json!("logout+jwt"), false),
        (json!("id_token+jwt"), false),
        (json!(""), false),
    ] {
        let token = issuer.token(Algorithm::Es256, &json!({ "alg": "ES256", "kid": "ec", "typ": typ }), &claims());
        assert_eq!(judge(&token, &issuer.keys()).err(), (!passes).then_some(Refused::Type), "{typ}");
    }
}

#[test]
fn unsigned_and_symmetric_tokens_are_refused() {
    let issuer = Issuer::new();
    let part = |value: &Value| BASE64.encode(value.to_string());
    for alg in
        ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "es256", "ES256K", "PS256", "RS1", "ES384", "Ed448"]
    {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "ec" });
        refused(&issuer.token(Algorithm::Es256, &header, &claims()), &issuer, Refused::Algorithm);
        refused(&format!("{}.{}.", part(&header), part(&claims())), &issuer, Refused::Algorithm);
    }
    // A good header, and no signature.
    refused(&format!("{}.{}.", part(&header()), part(&claims())), &issuer, Refused::Form);
    refused(&format!("{}.{}", part(&header()), part(&claims())), &issuer, Refused::Form);
}

#[test]
fn the_key_decides_the_algorithm() {
    let issuer = Issuer::new();
    // HMAC with the public key as the secret cannot be asked for; neither can a key be taken for one of another kind.
    for (alg, kid, signed) in [
        ("ES256", "rsa", Algorithm::Es256),
        ("RS256", "ec", Algorithm::Rs256),
        ("EdDSA", "ec", Algorithm::EdDsa),
        ("ES256", "ed", Algorithm::Es256),
        ("RS256", "ed", Algorithm::Rs256),
    ] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": kid });
        refused(&issuer.token(signed, &header, &claims()), &issuer, Refused::AlgorithmOfKey);
    }
    // The key's own `alg` binds it too.
    let mut other = issuer.rsa_jwk();
    other["alg"] = json!("PS256");
    assert_eq!(keys(&[other]), Err(KeySetError::None { left_out: 1 }));
    // What the operator does not allow is no algorithm, and its keys are none.
    let only = Rules { algorithms: vec![Algorithm::EdDsa], ..rules() };
    assert_eq!(judge_at(&issuer.with(json!({})), &issuer.keys(), &only, NOW), Err(Refused::Algorithm));
    assert_eq!(
        KeySet::parse(json!({ "keys": [issuer.ec_jwk()] }).to_string().as_bytes(), &only.algorithms),
        Err(KeySetError::None { left_out: 1 })
    );
}

#[test]
fn a_token_brings_no_key_and_no_extension() {
    let issuer = Issuer::new();
    for (name, value) in [
        ("jwk", issuer.ec_jwk()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/chain")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", Value::Null),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("kid", json!("")),
        ("kid", json!("k".repeat(257))),
    ] {
        let mut header = header();
        header[name] = value;
        refused(&issuer.token(Algorithm::Es256, &header, &claims()), &issuer, Refused::Header);
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let issuer = Issuer::new();
    let header = r#"{"alg":"none","typ":"at+jwt","kid":"ec","alg":"ES256"}"#;
    refused(&issuer.sign(Algorithm::Es256, header, &claims().to_string()), &issuer, Refused::Form);
    let twice = claims().to_string().replacen('{', r#"{"aud":"https://other.example","#, 1);
    refused(&issuer.sign(Algorithm::Es256, &self::header().to_string(), &twice), &issuer, Refused::Claims);
    let jwk = issuer.ec_jwk().to_string().replacen('{', r#"{"alg":"RS256","alg":"ES256","#, 1);
    let set = format!(r#"{{"keys":[{jwk}]}}"#);
    assert_eq!(KeySet::parse(set.as_bytes(), &Algorithm::ALL), Err(KeySetError::None { left_out: 1 }));
}

#[test]
fn other_keys_and_changed_tokens_are_refused() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    refused(&other.with(json!({})), &issuer, Refused::Signature);
    let good = issuer.with(json!({}));
    let mut parts = good.split('.');
    let (head, _, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut more = claims();
    more["scope"] = json!("casemate casemate.destroy");
    refused(&format!("{head}.{}.{signature}", BASE64.encode(more.to_string())), &issuer, Refused::Signature);
    // A signature of nothing (CVE-2022-21449).
    let (signed, _) = good.rsplit_once('.').unwrap();
    refused(&format!("{signed}.{}", BASE64.encode([0; 64])), &issuer, Refused::Signature);
    // One token has one spelling.
    refused(&format!("{good}="), &issuer, Refused::Form);
    refused(&good.replace('.', ".."), &issuer, Refused::Form);
    refused(&format!("{good}.{signature}"), &issuer, Refused::Form);
    for nothing in ["", ".", "..", "...", "a.b.c", "casemate_abc"] {
        refused(nothing, &issuer, Refused::Form);
    }
}

#[test]
fn a_name_of_no_key_is_refused() {
    let issuer = Issuer::new();
    for kid in ["other", "EC", "../../dev/null", "ec' OR '1'='1", "https://evil.example/jwks"] {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
        let token = issuer.token(Algorithm::Es256, &header, &claims());
        assert!(!Presented::read(&token, &rules()).unwrap().is_known_to(&issuer.keys()));
        refused(&token, &issuer, Refused::UnknownKey);
    }
    // Without a name, there must be nothing to choose from.
    let nameless = issuer.token(Algorithm::Es256, &json!({ "alg": "ES256", "typ": "at+jwt" }), &claims());
    refused(&nameless, &issuer, Refused::UnknownKey);
    assert!(judge(&nameless, &keys(&[issuer.ec_jwk()]).unwrap()).is_ok());
}

#[test]
fn a_swapped_key_verifies_nothing_of_the_old_one() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let token = old.with(json!({}));
    assert!(judge(&token, &old.keys()).is_ok());
    assert_eq!(judge(&token, &new.keys()), Err(Refused::Signature));
    assert_eq!(keys(&[old.ec_jwk(), new.ec_jwk()]), Err(KeySetError::Repeated), "two keys of one name are none");
    assert_eq!(keys(&[old.ec_jwk(), old.ec_jwk()]).unwrap().len(), 1);
}

#[test]
fn it_is_for_this_server_and_from_its_issuer() {
    let issuer = Issuer::new();
    for aud in [
        json!("https://casemate-staging.example/mcp"),
        json!("https://casemate.example/mcp/"),
        json!("https://casemate.example"),
        json!("HTTPS://casemate.example/mcp"),
        json!([]),
        json!(["https://other.example", "https://casemate.example/mcp2"]),
        json!(""),
    ] {
        refused(&issuer.with(json!({ "aud": aud })), &issuer, Refused::Audience);
    }
    assert!(
        judge(&issuer.with(json!({ "aud": ["https://other.example", "https://casemate.example/mcp"] })), &issuer.keys()).is_ok()
    );
    for iss in ["https://as.example/soc/", "https://as.example", "https://AS.example/soc", "https://evil.example/soc", ""] {
        refused(&issuer.with(json!({ "iss": iss })), &issuer, Refused::Issuer);
    }
}

#[test]
fn it_has_a_beginning_and_an_end() {
    let issuer = Issuer::new();
    let good = issuer.with(json!({ "nbf": NOW, "iat": NOW, "exp": NOW + 100 }));
    let when = |now: u64| judge_at(&good, &issuer.keys(), &rules(), now).err();
    assert_eq!(when(NOW - 61), Some(Refused::NotYet));
    assert_eq!(when(NOW - 60), None);
    assert_eq!(when(NOW + 159), None);
    assert_eq!(when(NOW + 160), Some(Refused::Expired));
    let exact = Rules { clock_skew: 0, ..rules() };
    assert_eq!(judge_at(&good, &issuer.keys(), &exact, NOW + 100), Err(Refused::Expired));
    assert!(judge_at(&good, &issuer.keys(), &exact, NOW + 99).is_ok());
    refused(&issuer.with(json!({ "nbf": NOW + 61 })), &issuer, Refused::NotYet);
    refused(&issuer.with(json!({ "nbf": null, "iat": NOW + 61 })), &issuer, Refused::NotYet);
    assert!(judge(&issuer.with(json!({ "nbf": null, "iat": null, "exp": NOW as f64 + 0.5 })), &issuer.keys()).is_ok());
    for exp in [json!(null), json!("2030"), json!(-1), json!(1e300), json!(u64::MAX), json!([NOW])] {
        refused(&issuer.with(json!({ "exp": exp })), &issuer, Refused::Claims);
    }
}

#[test]
fn what_lets_in_is_a_scope() {
    let issuer = Issuer::new();
    for scope in [json!(null), json!(""), json!("casemate.write"), json!("CASEMATE"), json!("casemate2 openid")] {
        refused(&issuer.with(json!({ "scope": scope })), &issuer, Refused::Scope);
    }
    for (name, value) in
        [("scope", json!("openid  casemate")), ("scp", json!("casemate")), ("scp", json!(["openid", "casemate"]))]
    {
        let mut changes = json!({ "scope": null });
        changes[name] = value;
        assert!(judge(&issuer.with(changes), &issuer.keys()).is_ok());
    }
    refused(&issuer.with(json!({ "scope": ["casemate"] })), &issuer, Refused::Claims);
    refused(&issuer.with(json!({ "scope": "", "scp": "casemate" })), &issuer, Refused::Scope);
}

#[test]
fn a_program_is_never_taken_for_a_person() {
    let issuer = Issuer::new();
    let id = |changes: Value| judge(&issuer.with(changes), &issuer.keys()).map(|caller| caller.id.to_string());
    assert_eq!(id(json!({ "client_id": "alice" })).unwrap(), "oidc:client:alice");
    assert_eq!(id(json!({ "client_id": null })).unwrap(), "oidc:sub:alice");
    assert_eq!(id(json!({ "sub": "local" })).unwrap(), "oidc:sub:local", "no prefix, no other kind of caller");
    assert_eq!(id(json!({ "sub": "token:ci" })).unwrap(), "oidc:sub:token:ci");
    for sub in [json!(""), json!("a b"), json!("a\nb"), json!("ä"), json!("a\"b"), json!("a`b"), json!("a".repeat(120))] {
        refused(&issuer.with(json!({ "sub": sub })), &issuer, Refused::Subject);
    }
    refused(&issuer.with(json!({ "sub": null })), &issuer, Refused::Claims);
    refused(&issuer.with(json!({ "sub": 7 })), &issuer, Refused::Claims);
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let issuer = Issuer::new();
    refused(&issuer.with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })), &issuer, Refused::Bound);
}

#[test]
fn roles_come_from_one_place() {
    let issuer = Issuer::new();
    let roles = |claim: &str, changes: Value| {
        let rules = Rules { roles_claim: Some(claim.parse().unwrap()), ..rules() };
        let caller = judge_at(&issuer.with(changes), &issuer.keys(), &rules, NOW).unwrap();
        caller.roles.iter().map(|role| role.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(roles("groups", json!({})), "soc");
    assert_eq!(roles("groups", json!({ "groups": "leads" })), "lead");
    assert_eq!(roles("/realm_access/roles", json!({ "realm_access": { "roles": ["analysts", "leads"] } })), "lead soc");
    assert_eq!(roles("https://x.example/roles", json!({ "https://x.example/roles": ["leads"] })), "lead");
    for other in
        [json!(null), json!(7), json!({ "analysts": true }), json!([["analysts"]]), json!("analysts leads"), json!("soc")]
    {
        assert_eq!(roles("groups", json!({ "groups": other })), "", "{other}");
    }
    for own in ["sub", "/sub", "scope", "client_id", "", "/"] {
        assert!(own.parse::<crate::ClaimPath>().is_err(), "{own}");
    }
}

#[test]
fn keys_for_something_else_and_weak_ones_are_left_out() {
    let issuer = Issuer::new();
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    let weak = json!({ "kty": "RSA", "kid": "weak", "n": RSA_1024.trim(), "e": "AQAB" });
    for bad in [
        weak,
        with(issuer.ec_jwk(), "use", json!("enc")),
        with(issuer.ec_jwk(), "key_ops", json!(["encrypt"])),
        with(issuer.ec_jwk(), "crv", json!("P-384")),
        with(issuer.ec_jwk(), "crv", json!("secp256k1")),
        with(issuer.ec_jwk(), "x", json!("AA")),
        with(issuer.ec_jwk(), "alg", json!("ES384")),
        with(issuer.ec_jwk(), "kid", json!("")),
        with(issuer.ed_jwk(), "crv", json!("X25519")),
        json!({ "kty": "oct", "kid": "ec", "k": "c2VjcmV0", "alg": "HS256" }),
        json!("ec"),
        json!({}),
    ] {
        assert_eq!(keys(std::slice::from_ref(&bad)), Err(KeySetError::None { left_out: 1 }), "{bad}");
        assert_eq!(keys(&[bad, issuer.ed_jwk()]).unwrap().len(), 1);
    }
    for good in [
        with(issuer.ec_jwk(), "key_ops", json!(["verify"])),
        with(issuer.ed_jwk(), "alg", json!("Ed25519")),
        with(issuer.ec_jwk(), "x5c", json!(["ignored"])),
    ] {
        assert_eq!(keys(&[good]).unwrap().len(), 1);
    }
    let many: Vec<Value> = (0..65).map(|at| with(issuer.ed_jwk(), "kid", json!(at.to_string()))).collect();
    assert_eq!(keys(&many), Err(KeySetError::Form));
    for broken in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
        assert_eq!(KeySet::parse(broken.as_bytes(), &Algorithm::ALL), Err(KeySetError::Form), "{broken}");
    }
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    let issuer = Issuer::new();
    let long = issuer.with(json!({ "more": "x".repeat(MAX_TOKEN) }));
    refused(&long, &issuer, Refused::TooLong);
    assert!(judge(&issuer.with(json!({ "more": "x".repeat(8000) })), &issuer.keys()).is_ok());
}

proptest! {
    #[test]
    fn no_text_is_believed(text in "[A-Za-z0-9._-]{0,400}") {
        let issuer = Issuer::new();
        prop_assert!(judge(&text, &issuer.keys()).is_err());
    }

    #[test]
    fn no_changed_token_is_believed(at in any::<proptest::sample::Index>(), to in "[A-Za-z0-9_-]") {
        let issuer = Issuer::new();
        let good = issuer.with(json!({}));
        let at = at.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(changed == good || judge(&changed, &issuer.keys()).is_err());
    }
}
