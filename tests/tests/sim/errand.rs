//! What clients want to send.

use super::{
    client::{Errand, MANNERS, Manner},
    eavesdropper::MARK,
    ledger::{Body, Mail},
    map::{DOMAINS, GUARDED},
};

/// Of servers and machines, without AUTH.
pub fn of_machine(number: u32, random: &mut fastrand::Rng) -> Errand {
    let recipients = recipients(number, &DOMAINS, random);
    let reverse_path = match random.u32(..8) {
        0 => String::new(),
        1..4 => format!("s{number}@a.test"),
        4 => format!("s{number}@b.test"),
        5 => format!("s{number}@c.test"),
        _ => format!("s{number}@{}", random.choice(DOMAINS).expect("there are some")),
    };
    let mut errand = begun(number, recipients, reverse_path, random);
    errand.mail.content = content(number, errand.mail.body, random);
    speak(&mut errand);
    errand
}

/// Of users: mostly to those who were promised TLS, with wishes of every kind.
pub fn of_user(number: u32, random: &mut fastrand::Rng) -> Errand {
    let domains: &[&str] = if random.u32(..4) == 0 { &DOMAINS } else { &GUARDED };
    let recipients = recipients(number, domains, random);
    let null = random.u32(..10) == 0;
    let reverse_path = if null { String::new() } else { format!("s{number}@d.test") };
    let mut errand = begun(number, recipients, reverse_path, random);
    let mut wishes = std::mem::take(&mut errand.mail.wishes);
    for (wish, one_in) in [
        (" REQUIRETLS", 5),
        (" MT-PRIORITY=4", 5),
        (" MT-PRIORITY=-3", 8),
        (" SMTPUTF8", 8),
        (" RET=HDRS ENVID=env", 6),
    ] {
        let keyword = wish.split('=').next().unwrap_or_default();
        let clashes = wishes.contains(keyword);
        if random.u32(..one_in) == 0 && !clashes {
            wishes.push_str(wish);
        }
    }
    errand.mail.content = content(number, errand.mail.body, random);
    errand.mail.wishes = wishes;
    speak(&mut errand);
    errand.mail.wishes_of_each = match random.u32(..12) {
        0 => " RRVS=2014-04-03T23:01:00Z",
        1 => " RRVS=2014-04-03T23:01:00Z;C NOTIFY=FAILURE",
        _ => "",
    };
    errand
}

/// All but the content and the wishes.
fn begun(
    number: u32,
    recipients: Vec<String>,
    reverse_path: String,
    random: &mut fastrand::Rng,
) -> Errand {
    let body = body(random);
    let manner = manner(body, random);
    let hold = (random.u32(..10) == 0).then(|| random.u64(60..20_000));
    let by = (random.u32(..10) == 0).then(|| random.u64(600..80_000));
    let mut mail = Mail { reverse_path, hold, by, body, recipients, ..Mail::default() };
    if random.u32(..10) == 0 {
        internationalize(&mut mail, random);
    }
    Errand { number, mail, manner, tricks: Vec::new(), may_relay: false }
}

/// Addresses that need SMTPUTF8 (RFC 6531), some of them or all.
fn internationalize(mail: &mut Mail, random: &mut fastrand::Rng) {
    mail.wishes.push_str(" SMTPUTF8");
    for path in mail.recipients.iter_mut().chain([&mut mail.reverse_path]) {
        if let Some(at) = path.find('@').filter(|_| random.bool()) {
            path.insert_str(at, random.choice(["ü", "-почта", "用户"]).expect("some"));
        }
    }
}

/// Header fields need SMTPUTF8 where it was asked for for the sake of addresses (RFC 6532).
fn speak(errand: &mut Errand) {
    let needs = |path: &String| !path.is_ascii();
    let mail = &mut errand.mail;
    if mail.recipients.iter().chain([&mail.reverse_path]).any(needs) {
        mail.content.splice(.."Subject: ".len(), "Subject: Grüße, ".bytes());
    }
}

fn recipients(number: u32, domains: &[&str], random: &mut fastrand::Rng) -> Vec<String> {
    let mut recipients = Vec::new();
    for _ in 0..random.u32(1..4) {
        let domain = random.choice(domains).expect("there are some");
        for _ in 0..random.u32(1..5) {
            recipients.push(format!("t{number}r{}@{domain}", recipients.len()));
        }
    }
    recipients
}

fn body(random: &mut fastrand::Rng) -> Body {
    match random.u32(..10) {
        0 | 1 => Body::Eight,
        2 => Body::Binary,
        _ => Body::Seven,
    }
}

fn manner(body: Body, random: &mut fastrand::Rng) -> Manner {
    if body == Body::Binary {
        return Manner::Chunked;
    }
    let manner = match random.u32(..12) {
        common @ 0..6 => MANNERS[common as usize % 3],
        rare => MANNERS[rare as usize - 6],
    };
    if manner == Manner::Hangs && random.bool() { Manner::Polite } else { manner }
}

/// With dots where they hurt, octets where they hurt, and now and then too big for memory.
pub fn content(number: u32, body: Body, random: &mut fastrand::Rng) -> Vec<u8> {
    let labels = match body {
        Body::Seven => "",
        Body::Eight => {
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n"
        }
        Body::Binary => {
            "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
             Content-Transfer-Encoding: binary\r\n"
        }
    };
    let head =
        format!("Subject: number {number}\r\nX-Sim: {number}\r\n{labels}\r\n{MARK}{number}-\r\n");
    let mut content = head.into_bytes();
    let length = match random.u32(..40) {
        0 => random.usize(250_000..600_000),
        1..5 => random.usize(10_000..60_000),
        _ => random.usize(0..4_000),
    };
    while content.len() < length {
        match (random.u32(..12), body) {
            (0, _) => content.extend_from_slice(b"."),
            (1, _) => content.extend_from_slice(b".."),
            (2, _) => {}
            (3..6, Body::Eight) => {
                let letter = random.char('\u{e0}'..'\u{2000}');
                content.extend(letter.to_string().repeat(random.usize(1..20)).into_bytes());
            }
            (3..6, Body::Binary) => {
                content.extend((0..random.usize(1..300)).map(|_| random.u8(..)))
            }
            _ => content.extend((0..random.usize(1..70)).map(|_| random.alphanumeric() as u8)),
        }
        content.extend_from_slice(b"\r\n");
    }
    content
}
