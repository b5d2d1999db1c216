//! The reply reader: never panics, and makes the same of octets however they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::reply::parse::ReplyReader;

fn read(pieces: &[&[u8]]) -> Vec<String> {
    let (mut reader, mut seen) = (ReplyReader::default(), Vec::new());
    for piece in pieces {
        reader.push(piece);
        while let Some(taken) = reader.take() {
            match taken {
                Ok(heard) => {
                    let reply = heard.to_reply();
                    assert!((200..600).contains(&reply.code));
                    seen.push(format!("{reply:?}"));
                }
                Err(trouble) => {
                    seen.push(trouble.to_string());
                    return seen;
                }
            }
        }
    }
    seen
}

fuzz_target!(|input: (usize, &[u8])| {
    let (cut, octets) = input;
    let (front, back) = octets.split_at(cut % (octets.len() + 1));
    assert_eq!(read(&[octets]), read(&[front, back]));
});
