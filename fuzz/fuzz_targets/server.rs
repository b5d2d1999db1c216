//! The server machine: any octets in any pieces, any answers. It never panics, is never stuck, never
//! asks to keep a message without a recipient that was accepted, and ends its replies with CRLF.

#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use sasl::Mechanisms;
use smtp::{
    Proof, Reply, TlsFacts,
    extension::{Features, TABLE},
    server::{Answer, AuthOffer, LineEndings, Offer, Output, Peer, Protocol, Question, Sasl, SaslAnswer, Server},
};

struct Receipt;

impl Proof for Receipt {
    fn queue_id(&self) -> &str {
        "Q1"
    }
}

fn offer(choice: u8) -> Offer {
    let mut offer = Offer::new("mx.example.test");
    offer.size_max = Some(10_000);
    offer.tls_available = choice & 1 != 0;
    let all = Mechanisms::that(|_| true);
    offer.auth = match choice & 2 != 0 {
        true => AuthOffer::always(all),
        false => AuthOffer::inside_tls(all),
    };
    offer.auth_required = choice & 4 != 0;
    if choice & 8 != 0 {
        offer.features = TABLE.iter().fold(Features::NONE, |all, row| all.with(row.feature));
        offer.expn = true;
        offer.future_release_max = 1_000;
        offer.transactions_max = Some(7);
    }
    if choice & 32 != 0 {
        offer.protocol = Protocol::Lmtp;
    }
    if choice & 16 != 0 {
        offer.line_endings = LineEndings::Normalize;
    }
    offer
}

fn tls_facts() -> TlsFacts {
    TlsFacts {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        server_name: None,
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    }
}

/// Anything that a mechanism might say.
fn sasl_answer(step: &Sasl, yes: bool) -> SaslAnswer {
    let user = "anna@example.test".to_owned();
    match step {
        Sasl::Begin { mechanism, initial: None } if mechanism.is_client_first() => {
            SaslAnswer::Challenge(Vec::new())
        }
        Sasl::Begin { .. } => SaslAnswer::Challenge(b"who is it?".to_vec()),
        Sasl::Response(response) => match (yes, response.octets().len() % 4) {
            (true, 0) => SaslAnswer::Done { user, additional: Some(b"v=proof".to_vec()) },
            (true, 1) => SaslAnswer::Done { user, additional: None },
            (true, _) => SaslAnswer::Challenge(b"more".to_vec()),
            (false, 0) => SaslAnswer::Malformed,
            (false, _) => {
                SaslAnswer::Refused { user: Some(user), reply: Reply::authentication_failed() }
            }
        },
    }
}

fn answer_to(question: Question, server: &mut Server<Receipt>, yes: bool) -> Answer<Receipt> {
    let verdict = if yes { Ok(()) } else { Err(Reply::local_error()) };
    match question {
        Question::Sasl(step) => Answer::Sasl(sasl_answer(&step, yes)),
        Question::ReversePath | Question::Recipient(_) | Question::Begin => Answer::Go(verdict),
        Question::Verify(_) | Question::Expand(_) | Question::StartQueue(_) => {
            Answer::Verified(Reply::not_verified())
        }
        Question::Reverse(domains) => {
            assert!(server.user().is_some(), "mail is handed out to nobody in particular");
            Answer::Reverse(verdict.map(|()| domains))
        }
        Question::Client(_) => {
            let mut peer = server.peer().clone();
            assert!(peer.granted.has(Features::XCLIENT), "a stranger names himself");
            peer.granted = Features::NONE;
            Answer::Client(verdict.map(|()| Box::new(peer)))
        }
        Question::Keep => {
            let envelope = server.envelope().expect("content belongs to a transaction");
            assert!(!envelope.recipients.is_empty());
            assert_eq!(server.content().split().len() as u64, server.content_length());
            Answer::Kept(verdict.map(|()| Receipt))
        }
    }
}

fuzz_target!(|input: (u8, Vec<bool>, Vec<Vec<u8>>)| {
    let (choice, mut answers, pieces) = input;
    let address = ([192, 0, 2, 1], 25).into();
    let mut peer = Peer::new(address, address);
    if choice & 64 != 0 {
        peer.granted = Features::GUARDED;
    }
    let mut server = Server::new(Arc::new(offer(choice)), peer, Duration::ZERO);
    let mut now = Duration::ZERO;
    for piece in &pieces {
        now += Duration::from_secs(1);
        let mut rest = &piece[..];
        loop {
            let used = server.feed(now, rest);
            rest = &rest[used..];
            let mut went_on = used > 0;
            while let Some(output) = server.poll() {
                went_on = true;
                match output {
                    Output::Ask(question) => {
                        let answer =
                            answer_to(question, &mut server, answers.pop().unwrap_or(true));
                        server.answer(now, answer);
                    }
                    Output::StartTls => server.tls_established(now, tls_facts()),
                    Output::Event(_) | Output::Close | Output::Reverse(_) => {}
                }
            }
            if rest.is_empty() {
                break;
            }
            assert!(went_on, "stuck");
        }
        let replies = server.replies();
        assert!(replies.is_empty() || replies.ends_with(b"\r\n"));
        replies.clear();
    }
    server.closed_by_peer(now);
    while server.poll().is_some() {}
});
