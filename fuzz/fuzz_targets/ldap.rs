//! What a directory sends, and what a user's name does in what it is asked: any octets are read without a
//! panic; a name stays one value, in a filter and in a DN, whatever is in it.

#![no_main]

use accounts::ldap::{
    ber::{self, Reader},
    filter::Filter,
    message,
    template::{Names, Template},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, &str)| {
    let (octets, filter, name) = input;
    if let Some(Some((head, length))) = ber::length(octets) {
        assert!(head <= 5 && length <= u32::MAX as usize);
    }
    if let Some((_, message::Received::Entry(entry))) = message::read(octets) {
        let values: usize = entry.attributes.iter().map(|(_, values)| values.len()).sum();
        assert!(values <= octets.len(), "an entry of more values than octets");
    }
    let names = Names::of(name);
    for text in [filter, "(&(objectClass=*)(|(mail={user})(uid={local}*)(!(ou:dn:={domain}))))"] {
        let Ok(filter) = Filter::parse(text) else { continue };
        let named = shape(&filter.octets(&names));
        let harmless = shape(&filter.octets(&Names::of("a@b")));
        assert_eq!(named, harmless, "the name `{name}` changed `{text}`");
    }
    let template = Template::parse("uid={user},ou=people").expect("a template");
    assert_eq!(unescaped(&template.dn(&names)), format!("uid={name},ou=people"));
});

/// The tags of a filter, in their order, without what is in the values.
fn shape(filter: &[u8]) -> Vec<u8> {
    let (mut tags, mut left) = (Vec::new(), vec![Reader(filter)]);
    while let Some(mut reader) = left.pop() {
        if let Some((tag, content)) = reader.next() {
            tags.push(tag);
            left.push(reader);
            // Constructed: bit 6 (ITU-T X.690 section 8.1.2.5).
            if tag & 0x20 != 0 {
                left.push(Reader(content));
            }
        }
    }
    tags
}

/// The text that a DN stands for (RFC 4514 section 3), which has one more comma than is escaped.
fn unescaped(dn: &str) -> String {
    let (mut text, mut rest, mut commas) = (String::new(), dn.chars(), 0);
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('0') => {
                    assert_eq!(rest.next(), Some('0'));
                    text.push('\0');
                }
                Some(c) => text.push(c),
                None => panic!("an escape of nothing in `{dn}`"),
            },
            c => {
                commas += usize::from(c == ',');
                text.push(c);
            }
        }
    }
    assert_eq!(commas, 1, "`{dn}` has other parts");
    text
}
