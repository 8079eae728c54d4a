//! With TLS: by a certificate that this machine trusts and that is the server's, and without it nowhere but on this machine.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::geteuid;

use super::Desk;
use crate::harness::{House, Identity, Postgres, alone};

const ORDERS: &str = "SELECT customer FROM public.orders WHERE id = 1";
/// Nobody's address (RFC 5737).
const ELSEWHERE: &str = "192.0.2.1";

/// Who certifies servers.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn certify(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// The house's machine trusts it, and nobody else.
    fn trusted_by(&self, house: House) -> House {
        let file = house.folder().join("authorities.pem");
        fs::write(&file, &self.certificate).unwrap();
        house.environment("SSL_CERT_FILE", &file.display().to_string())
    }
}

/// A server at this address that shows this, in a house that trusts this authority.
fn desk(address: &str, identity: Option<&Identity>, trusted: &Authority) -> Desk {
    let server = |password: &str| Postgres::at(address, password, identity);
    Desk::beside("casemate_reader", server, |house| trusted.trusted_by(house))
}

#[track_caller]
fn reads(desk: &Desk) {
    assert_eq!(desk.rows(ORDERS, &["public.orders"])[0][0], "Ada");
}

/// Nobody was let in, and the operator's log says why.
#[track_caller]
fn refused(desk: &Desk, part: &str) {
    desk.query(ORDERS, &["public.orders"]).ended("error", "unavailable", &[]);
    let (log, audit) = (desk.postgres.log(), desk.audit());
    assert!(desk.postgres.authenticated() == 0 && !log.contains("authentication failed"), "{log}");
    assert!(audit.contains(part), "`{part}` is not in {audit}");
}

#[test]
fn a_server_that_proves_itself_is_asked_encrypted() {
    let authority = Authority::new();
    let desk = desk("127.0.0.1", Some(&authority.certify("127.0.0.1")), &authority);
    reads(&desk);
    assert!(desk.postgres.log().contains("SSL enabled (protocol=TLSv1.3"), "{}", desk.postgres.log());
}

#[test]
fn a_certificate_of_somebody_else_or_by_nobody_known_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    refused(&desk("127.0.0.1", Some(&authority.certify("db.example")), &authority), "certificate");
    // On this machine, too: a server that encrypts is not asked in plain text instead.
    refused(&desk("127.0.0.1", Some(&other.certify("127.0.0.1")), &authority), "certificate");
}

#[test]
fn off_this_machine_nothing_is_sent_in_plain_text() {
    if !geteuid().is_root() {
        eprintln!("not tried: a network of one's own in which PostgreSQL runs as another user is root's to make");
        return;
    }
    let name = "postgres::tls::off_this_machine_nothing_is_sent_in_plain_text";
    alone(name, &["--net"], &format!("ip link set lo up && ip address add {ELSEWHERE}/32 dev lo"), || {
        let authority = Authority::new();
        refused(&desk(ELSEWHERE, None, &authority), "does not encrypt");
        reads(&desk(ELSEWHERE, Some(&authority.certify(ELSEWHERE)), &authority));
    });
}
