//! The server's mechanisms against a client that says anything: no panic, every exchange ends, and nobody
//! gets in without a back end that says so.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sasl::{
    Bindings, Mechanism, Secret, gss,
    scram::{self, Keys},
    server::{Answer, Ask, Context, Exchange, Step, Tokens},
};

fuzz_target!(|input: (u8, u8, Option<&[u8]>, Vec<&[u8]>)| {
    let (row, choices, initial, responses) = input;
    let mechanism = Mechanism::TABLE[usize::from(row) % Mechanism::TABLE.len()].mechanism;
    let mut exchange = Exchange::new(mechanism, context(choices & 1 != 0));
    let mut responses = responses.into_iter();
    let mut step = exchange.begin(initial);
    loop {
        step = match step {
            Step::Ask(ask) => exchange.answer(answer(ask, choices)),
            Step::Challenge(_) => match responses.next() {
                Some(response) => exchange.respond(response),
                None => return,
            },
            Step::Done { .. } => panic!("{mechanism}: in without a proof"),
            Step::Refused { .. } => return,
        };
    }
});

/// Everybody exists, and nobody's password is right.
fn answer(ask: Ask, choices: u8) -> Answer {
    let known = choices & 2 != 0;
    match ask {
        _ if choices & 4 != 0 => Answer::Unavailable,
        Ask::ScramKeys { hash, .. } if known => {
            let secret = || Secret::new(vec![7; hash.length()]);
            let (stored, server) = (secret(), secret());
            Answer::ScramKeys(Keys { hash, salt: vec![1; 16], iterations: 4_096, stored, server })
        }
        Ask::SharedSecret { .. } if known => {
            Answer::Password(Secret::new("not to be guessed, is it?"))
        }
        Ask::NtHash { user, .. } if known => {
            Answer::NtHash { user, hash: sasl::nt_hash("not to be guessed, is it?") }
        }
        Ask::Gss(gss::Ask::Token(Some(token))) if token.first() == Some(&b'c') => {
            Answer::Gss(gss::Answer::Continue(token))
        }
        Ask::Gss(gss::Ask::Token(Some(token))) if known => {
            let token = Some(token).filter(|token| token.len() % 2 == 0);
            Answer::Gss(gss::Answer::Established { token, peer: "anna@A.TEST".into() })
        }
        Ask::Gss(gss::Ask::Wrap(octets) | gss::Ask::Unwrap(octets)) => {
            Answer::Gss(gss::Answer::Octets(octets))
        }
        Ask::Gss(_) => Answer::Gss(gss::Answer::Failed("no".into())),
        _ => Answer::No,
    }
}

fn context(bound: bool) -> Context {
    let bindings = match bound {
        true => {
            Bindings { exporter: Some(vec![1; 32]), end_point: Some(vec![2; 32]), unique: None }
        }
        false => Bindings::default(),
    };
    Context {
        hostname: "mx.example.test".into(),
        service: "smtp",
        bindings,
        plus_offered: bound,
        ntlm_v1: false,
        random: [7; 32],
        key: Arc::new(Secret::new("key")),
        iterations: scram::ITERATIONS,
        now: 1_795_168_800,
        tokens: Tokens::default(),
    }
}
