//! Reports of ours: whatever a next hop has said and whatever the original is, the report is one that can be
//! read back, tells each recipient's fate once, and has no line of its own making in its header section.
#![no_main]

use std::time::Duration;

use diagnose::{dialects::ndr, testimony::Fate as Read};
use libfuzzer_sys::fuzz_target;
use message::{
    dsn::{self, Action, Content, Explanation, Fate, Report},
    header,
};
use smtp::{
    Address, Attempt, Cause, Envelope, Outcome, Party, Recipient, Stage, Timestamp, Transcript,
    Trouble, reply::parse::ReplyReader,
};

const FIELDS: [&[u8]; 11] = [
    b"Content-Transfer-Encoding",
    b"In-Reply-To",
    b"References",
    b"Auto-Submitted",
    b"Content-Type",
    b"Date",
    b"From",
    b"MIME-Version",
    b"Message-ID",
    b"Subject",
    b"To",
];

/// What a next hop says, and which address it is about.
type Said<'a> = (&'a [u8], &'a str, bool);

fn address(text: &str, number: usize) -> Address {
    let plain = || format!("user{number}@b.test").parse().expect("an address");
    text.parse::<Address>()
        .ok()
        .filter(|address| !address.domain().is_empty())
        .unwrap_or_else(plain)
}

fn trouble(octets: &[u8]) -> Trouble {
    let mut reader = ReplyReader::default();
    reader.push(octets);
    match reader.take() {
        Some(Ok(heard)) => Trouble::Reply(heard.to_reply()),
        Some(Err(malformed)) => Trouble::Malformed(malformed.to_string()),
        None => Trouble::Network(String::from_utf8_lossy(octets).into_owned()),
    }
}

fn attempt(said: &[u8], path: &Address) -> Attempt {
    let mut transcript = Transcript::default();
    transcript.record(Duration::ZERO, Party::Client, format!("RCPT TO:<{path}>"));
    transcript.record(Duration::ZERO, Party::Server, said);
    let cause = Cause { stage: Stage::Rcpt, trouble: trouble(said) };
    Attempt {
        next_hop: "mx.b.test".into(),
        address: Some("192.0.2.1:25".into()),
        route: Vec::new(),
        transcript,
        tls: None,
        outcomes: vec![(path.clone(), Outcome::Failed(cause))],
    }
}

fuzz_target!(|input: (Vec<Said<'_>>, &str, &[u8], bool)| {
    let (said, envid, original, utf8) = input;
    let recipients: Vec<Recipient> =
        said.iter().enumerate().map(|(n, (_, to, _))| Recipient::new(address(to, n))).collect();
    if recipients.is_empty() || recipients.len() > 20 {
        return;
    }
    let attempts: Vec<Attempt> = said
        .iter()
        .zip(&recipients)
        .map(|((octets, ..), recipient)| attempt(octets, &recipient.forward_path))
        .collect();
    let explanation = Explanation {
        meaning: envid.into(),
        line: Some(1),
        command: Some(0),
        ..Explanation::default()
    };
    let fates: Vec<Fate<'_>> = said
        .iter()
        .zip(&recipients)
        .zip(&attempts)
        .map(|(((_, _, failed), recipient), attempt)| {
            let Outcome::Failed(cause) = &attempt.outcomes[0].1 else { unreachable!("it failed") };
            Fate {
                recipient,
                action: if *failed { Action::Failed } else { Action::Delayed },
                status: cause.status(*failed),
                attempt: Some(attempt),
                attempted: Some(Timestamp(1_795_168_800_000)),
                attempts: 3,
                retry_until: None,
                explanation: Some(&explanation),
                passed_on: smtp::client::Features::NONE,
            }
        })
        .collect();
    let to = address("ann@a.test", 0);
    let mut envelope = Envelope::new(Some(to.clone()));
    envelope.recipients.clone_from(&recipients);
    envelope.smtputf8 = utf8;
    let report = Report {
        host: "mx.a.test",
        from: "Mail Delivery System <postmaster@mx.a.test>",
        to: &to,
        at: Timestamp(1_795_168_800_000),
        offset: 0,
        unique: "2K8PZ9",
        boundary: "=_mailwright.2K8PZ9",
        envelope: &envelope,
        deliver_by: None,
        content: Content { head: original, length: original.len() as u64, whole_length_max: 5_000 },
        queue_id: "2K8PZ4",
        arrived: Timestamp(1_795_168_700_000),
        received_from: Some("client.a.test"),
        fates: &fates,
    };
    let written = dsn::write(&report);
    let end = header::scan(&written.head).header_length as usize;
    for field in header::fields(&written.head[..end]) {
        let name = field.whole.split(|octet| *octet == b':').next().unwrap_or_default();
        assert!(FIELDS.contains(&name), "{}", name.escape_ascii());
    }
    let whole = written.assemble(original);
    // What is returned may pretend to be the report's end: then it is not asked who is told.
    if original.windows(12).any(|part| part == b"=_mailwright") {
        return;
    }
    let read = ndr::read(&whole);
    assert_eq!(read.reports.len(), fates.len(), "{}", whole.escape_ascii());
    for (told, (_, _, failed)) in read.reports.iter().zip(&said) {
        assert_eq!(told.fate, if *failed { Read::Failed } else { Read::Deferred });
    }
});
