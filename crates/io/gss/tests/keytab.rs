//! The machine's own library, with a keytab and without a KDC: what goes wrong on this side alone.
//! With a KDC, and over SMTP: `tests/tests/kerberos.rs`.

use std::path::{Path, PathBuf};

use gss::{Context, Keytab, Library, Reason, Tickets};

/// Whether there is a library. Where nothing may be skipped, there must be.
fn is_installed() -> bool {
    match Library::load() {
        Ok(_) => true,
        Err(trouble) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped: {trouble}");
            println!("skipped: {trouble}");
            false
        }
    }
}

/// A keytab with a key of `smtp/mx.here.test@HERE.TEST`, as MIT's doc/formats/keytab_file_format has it.
fn keytab(folder: &Path) -> PathBuf {
    let counted = |text: &str| {
        let length = u16::try_from(text.len()).unwrap();
        [&length.to_be_bytes(), text.as_bytes()].concat()
    };
    let mut entry = 2_u16.to_be_bytes().to_vec();
    for text in ["HERE.TEST", "smtp", "mx.here.test"] {
        entry.extend(counted(text));
    }
    entry.extend([0, 0, 0, 1]); // KRB5_NT_PRINCIPAL
    entry.extend([0, 0, 0, 0]); // when it was made
    entry.push(1); // the key's version
    entry.extend([0, 18, 0, 32]); // aes256-cts-hmac-sha1-96, 32 octets
    entry.extend([7; 32]);
    let length = i32::try_from(entry.len()).unwrap().to_be_bytes();
    let file = folder.join("keytab");
    std::fs::write(&file, [&[5, 2], &length[..], &entry].concat()).unwrap();
    file
}

fn accepting(file: &Path, service: &str) -> Result<Context, gss::Trouble> {
    Context::accepting(&Keytab { file: file.to_owned(), service: service.to_owned() }, None)
}

#[test]
fn a_keytab_needs_a_key_of_the_service() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = keytab(folder.path());
    for (service, reason) in [
        ("smtp", None),
        ("smtp@mx.here.test", None),
        ("smtp@mx2.here.test", Some(Reason::NoServiceKey)),
        ("imap", Some(Reason::NoServiceKey)),
    ] {
        let context = accepting(&file, service);
        assert_eq!(context.err().map(|trouble| trouble.reason), reason, "{service}");
    }
    let missing = accepting(&folder.path().join("none"), "smtp").expect_err("there is no keytab");
    assert_eq!(missing.reason, Reason::KeytabUnreadable);
    assert!(missing.to_string().contains("No such file"), "{missing}");
}

#[test]
fn what_is_no_token_is_refused_and_nothing_is_wrapped_before_its_time() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = keytab(folder.path());
    // The last is the frame of a Kerberos token (RFC 1964 section 1.1) that is cut short.
    for (token, reason) in [
        (&b""[..], Reason::BadToken),
        (b"hello", Reason::BadToken),
        (
            b"\x60\x82\x02\xcb\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e\x82",
            Reason::BadToken,
        ),
    ] {
        let mut context = accepting(&file, "smtp").expect("the keytab has the key");
        assert!(context.wrap(b"x").is_err() && context.unwrap(b"x").is_err());
        assert!(context.peer().is_err());
        let trouble = context.step(token).expect_err("that is no token");
        assert_eq!(trouble.reason, reason, "{trouble}");
    }
}

#[test]
fn nobody_logs_in_without_a_ticket() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = format!("FILE:{}", folder.path().join("tickets").display());
    let tickets = Tickets { cache: Some(cache), ..Tickets::default() };
    let trouble = Context::initiating(&tickets, "mx.here.test", None).expect_err("no ticket");
    assert_eq!(trouble.reason, Reason::NoTicket, "{trouble}");
}
