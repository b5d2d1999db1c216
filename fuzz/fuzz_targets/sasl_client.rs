//! The client's mechanisms against a server that says anything: no panic, and no server is believed that
//! had to prove itself and did not.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sasl::{
    Bindings, Mechanism, Mechanisms, Secret,
    client::{Context, Credentials, Exchange, Proof, Step},
    gss,
};

fuzz_target!(|input: (u8, bool, Vec<&[u8]>)| {
    let (row, bound, challenges) = input;
    let mechanism = Mechanism::TABLE[usize::from(row) % Mechanism::TABLE.len()].mechanism;
    let proof = match mechanism {
        Mechanism::External | Mechanism::Gssapi => Proof::Elsewhere,
        Mechanism::OAuthBearer | Mechanism::XOAuth2 => Proof::Token(Secret::new("token")),
        _ => Proof::Password(Secret::new("not to be guessed, is it?")),
    };
    let mechanisms = Mechanisms::that(|_| true);
    let credentials = Credentials { proof, mechanisms, ..Credentials::new("ann", "") };
    let mut exchange = Exchange::new(mechanism, context(bound), Arc::new(credentials), bound);
    let mut step = exchange.begin();
    for challenge in challenges {
        while let Step::Ask(ask) = step {
            step = exchange.answer(answer(ask));
        }
        if let Step::Failed(_) = step {
            return;
        }
        step = exchange.challenge(challenge);
        // 600,000 iterations are slow, and not what is looked for.
        if let Step::Salt(_) = step {
            step = exchange.salted(&Secret::new("salted"));
        }
    }
    let proves = mechanism == Mechanism::DigestMd5 || mechanism.name().starts_with("SCRAM");
    assert!(!proves || exchange.finish().is_err(), "{mechanism} took an impostor");
});

fn answer(ask: gss::Ask) -> gss::Answer {
    match ask {
        gss::Ask::Token(None) => gss::Answer::Continue(b"first".to_vec()),
        gss::Ask::Token(Some(token)) if token.len() % 2 == 0 => {
            gss::Answer::Established { token: None, peer: "smtp/mx".into() }
        }
        gss::Ask::Token(Some(_)) => gss::Answer::Failed("no".into()),
        gss::Ask::Wrap(octets) | gss::Ask::Unwrap(octets) => gss::Answer::Octets(octets),
    }
}

fn context(bound: bool) -> Context {
    Context {
        service: "smtp",
        host: "mx.b.test".into(),
        port: 25,
        bindings: match bound {
            true => {
                Bindings { exporter: Some(vec![1; 32]), end_point: Some(vec![2; 32]), unique: None }
            }
            false => Bindings::default(),
        },
        random: [9; 32],
        now: 1_795_168_800,
    }
}
