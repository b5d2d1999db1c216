//! SCRAM-SHA-256 (RFC 5802, RFC 7677), written once more: for users who sign in, and for a next hop that one
//! of our hosts signs in at.

use std::{
    collections::BTreeMap,
    io,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ledger::Ledger, wire::Wire};

/// As few as there may be.
const ITERATIONS: u32 = 4_096;
const SALT: &[u8] = b"salt of the world";

/// What is stored of a password (RFC 5803).
pub fn stored(password: &str) -> String {
    let [client, server] = keys(password, SALT, ITERATIONS);
    let [salt, stored, server] =
        [SALT, digest(&client).as_ref(), &server].map(|octets| STANDARD.encode(octets));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

/// Signs in: the last reply. A server that can't prove that it knows the password breaks a promise.
pub async fn sign_in(
    wire: &mut Wire,
    (name, password): (&str, &str),
    nonce: &str,
    ledger: &Ledger,
) -> io::Result<(u16, String)> {
    let bare = format!("n={name},r={nonce}");
    let first = STANDARD.encode(format!("n,,{bare}"));
    let (code, line) = wire.ask(&format!("AUTH SCRAM-SHA-256 {first}")).await?;
    if code != 334 {
        return Ok((code, line));
    }
    let challenge = decoded(&line[4..])?;
    let (Some(both), Some(salt), Some(iterations)) =
        (field(&challenge, "r="), field(&challenge, "s="), field(&challenge, "i="))
    else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let salt = STANDARD.decode(salt).map_err(io::Error::other)?;
    let iterations = iterations.parse().map_err(io::Error::other)?;
    let last = format!("c=biws,r={both}");
    let message = format!("{bare},{challenge},{last}");
    let [client, server] = proofs(password, (&salt, iterations), &message);
    let (code, line) = wire.ask(&STANDARD.encode(format!("{last},p={client}"))).await?;
    if code != 334 {
        return Ok((code, line));
    }
    if decoded(&line[4..])? != format!("v={server}") {
        ledger.breaks(format!("a server of {name} that doesn't know the password: {line}"));
    }
    wire.ask("").await
}

/// Hears somebody sign in who has said `first` with AUTH; whether it was he.
pub async fn hear(
    wire: &mut Wire,
    first: &str,
    (name, password): (&str, &str),
) -> io::Result<bool> {
    let first = decoded(first)?;
    // What goes before the name: that the client could bind to TLS, and we don't.
    let at = first.match_indices(',').nth(1).map_or(first.len(), |(at, _)| at + 1);
    let (head, bare) = first.split_at(at);
    let nonce = field(bare, "r=").unwrap_or_default();
    let challenge = format!("r={nonce}theirs,s={},i={ITERATIONS}", STANDARD.encode(SALT));
    let (_, response) = said(wire, &challenge).await?;
    let (last, proof) = response.rsplit_once(",p=").ok_or(io::ErrorKind::InvalidData)?;
    let [client, server] =
        proofs(password, (SALT, ITERATIONS), &format!("{bare},{challenge},{last}"));
    let expected = format!("c={},r={nonce}theirs", STANDARD.encode(head));
    if last != expected || proof != client || field(bare, "n=") != Some(name) {
        return Ok(false);
    }
    Ok(said(wire, &format!("v={server}")).await?.0.is_empty())
}

/// A challenge, and what is answered to it: as it came, and decoded.
async fn said(wire: &mut Wire, challenge: &str) -> io::Result<(String, String)> {
    wire.write(format!("334 {}\r\n", STANDARD.encode(challenge)).as_bytes()).await?;
    let line = wire.text().await?;
    let response = decoded(&line)?;
    Ok((line, response))
}

/// The client's proof and the server's signature (RFC 5802 section 3).
fn proofs(password: &str, (salt, iterations): (&[u8], u32), message: &str) -> [String; 2] {
    let [client, server] = keys(password, salt, iterations);
    let signature = hmac(digest(&client).as_ref(), message.as_bytes());
    let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    [proof, hmac(&server, message.as_bytes())].map(|octets| STANDARD.encode(octets))
}

/// ClientKey and ServerKey: each computed once, for it takes its time.
fn keys(password: &str, salt: &[u8], iterations: u32) -> [Vec<u8>; 2] {
    type Known = BTreeMap<(String, Vec<u8>, u32), [Vec<u8>; 2]>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let of = (password.to_owned(), salt.to_vec(), iterations);
    known.entry(of).or_insert_with(|| computed(password, salt, iterations)).clone()
}

fn computed(password: &str, salt: &[u8], iterations: u32) -> [Vec<u8>; 2] {
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    [&b"Client Key"[..], b"Server Key"].map(|what| hmac(&salted, what))
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn digest(octets: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, octets)
}

fn decoded(text: &str) -> io::Result<String> {
    let octets = STANDARD.decode(text).map_err(io::Error::other)?;
    String::from_utf8(octets).map_err(io::Error::other)
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(',').find_map(|part| part.strip_prefix(name))
}

/// RFC 7677 section 3.
#[test]
fn the_example_of_the_specification() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
    let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                   s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                   c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    assert_eq!(
        proofs("pencil", (&salt, 4_096), message),
        [
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        ]
    );
}
