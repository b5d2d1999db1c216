//! The client machine against a peer that says anything: it never panics, never hands out more than one
//! verdict, always ends, and shows no password. What was said in clear before the handshake of STARTTLS ended
//! counts for nothing after it.
//!
//! Two octets choose how the client is and how octets are cut; then follows what the server says. Behind
//! each 0xFE the client falls silent, or the handshake fails.
#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use sasl::{Bindings, Mechanisms};
use smtp::{
    Envelope, Recipient, TlsFacts,
    client::{Client, Context, Credentials, Output, Plan, Protocol, StartTls, Transaction},
};

const CONTENT: &[u8] = b"Subject: x\r\n\r\n.\r\nend";

/// Never in UTF-8, so that dialogues have none.
const EVENT: u8 = 0xfe;

fuzz_target!(|octets: &[u8]| {
    let Some((&[choices, piece], said)) = octets.split_first_chunk() else { return };
    let mut plan = Plan::new("mx.a.test");
    let in_clear_allowed = choices & 4 != 0;
    if choices & 1 != 0 {
        plan.protocol = Protocol::Lmtp;
    }
    if choices & 2 != 0 {
        let mechanisms = Mechanisms::that(|_| true);
        let credentials = Credentials::new("ann", "dont-show");
        plan.credentials =
            Some(Arc::new(Credentials { in_clear_allowed, mechanisms, ..credentials }));
    }
    let required = choices & 16 != 0;
    if required {
        plan.start_tls = StartTls::Required;
    }
    let mut client = Client::new(Arc::new(plan), Duration::ZERO);
    let mut now = Duration::ZERO;
    let (mut begun, mut finished, mut closed) = (0, 0, false);
    let piece = if piece == 0 { usize::MAX } else { usize::from(piece) };
    let mut parts = said.split(|octet| *octet == EVENT).peekable();
    while let Some(part) = parts.next() {
        let mut pieces: Vec<&[u8]> = part.chunks(piece).collect();
        // Nothing is said at its end but that time is over.
        pieces.push(&[]);
        for piece in pieces {
            now += Duration::from_secs(1);
            match client.deadline().filter(|_| piece.is_empty() && parts.peek().is_some()) {
                Some(deadline) => client.expire(now.max(deadline)),
                None => client.feed(now, piece),
            }
            while let Some(output) = client.poll() {
                assert!(!closed, "something came behind Close");
                match output {
                    Output::SignIn => client.sign_in(now, context()),
                    // The credentials are a password.
                    Output::Gss(_) => unreachable!(),
                    Output::Salt(_) => client.salted(now, &sasl::Secret::new("salted")),
                    Output::StartTls if choices & 8 != 0 => {
                        client.tls_failed(now, "no version".into())
                    }
                    Output::StartTls => client.tls_established(now, facts()),
                    Output::Ready => {
                        client.begin(now, transaction());
                        begun += 1;
                    }
                    Output::Content(_) => {
                        let mut out = Vec::new();
                        client.frame(now, CONTENT, &mut out);
                        client.content_sent(now);
                    }
                    Output::Finished(outcomes) => {
                        assert_eq!(outcomes.len(), 2);
                        finished += 1;
                        if client.is_reusable() && begun < 3 {
                            client.begin(now, transaction());
                            begun += 1;
                        }
                    }
                    Output::Close => closed = true,
                    Output::Replied(_) | Output::Failed { .. } => {}
                }
            }
            let commands = std::mem::take(client.commands());
            let says = |word: &[u8]| commands.windows(word.len()).any(|part| part == word);
            if client.tls().is_none() {
                assert!(!required || !says(b"MAIL FROM"), "mail in clear");
                let password = says(b"AUTH PLAIN") || says(b"AUTH LOGIN");
                assert!(in_clear_allowed || !password, "a password in clear");
            }
        }
    }
    client.closed_by_peer(now);
    while let Some(output) = client.poll() {
        assert!(!closed, "something came behind Close");
        finished += usize::from(matches!(output, Output::Finished(_)));
        closed |= output == Output::Close;
    }
    assert!(closed && finished == begun, "{begun} begun, {finished} finished");
    for line in client.transcript().lines() {
        let secret = b"AGFubgBkb250LXNob3c";
        assert!(
            !line.text.windows(secret.len()).any(|part| part == secret)
                || line.by == smtp::Party::Server
        );
    }
});

fn transaction() -> Transaction {
    let mut envelope = Envelope::new(None);
    for address in ["bob@b.test", "bea@b.test"] {
        envelope.recipients.push(Recipient::new(address.parse().expect("an address")));
    }
    Transaction::new(Arc::new(envelope), CONTENT.len() as u64)
}

fn facts() -> TlsFacts {
    TlsFacts {
        bindable: false,
        version: "TLSv1.3".into(),
        cipher: "none".into(),
        server_name: None,
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    }
}

fn context() -> Context {
    Context {
        service: "smtp",
        host: "mx.b.test".into(),
        port: 25,
        bindings: Bindings::default(),
        random: [9; 32],
        now: 1_795_168_800,
    }
}
