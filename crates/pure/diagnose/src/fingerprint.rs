//! What is kept of a content besides its length: digests of its header fields and its body, so that two
//! sides of a box can be compared without either's words.
//!
//! Whoever reads the content makes the digests; all of one comparison have to be made alike.

/// A digest of octets: equal for equal octets, and for others only by somebody's hard work.
pub type Digest = [u8; 16];

/// A content, or a chunk of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Index of its line.
    pub line: usize,
    /// Each header field with its name in lower case, in order. Of a chunk, none.
    pub fields: Vec<(String, Digest)>,
    /// All octets behind the header section and the empty line.
    pub body: Digest,
    /// How many these are.
    pub body_octets: u64,
    /// The body's first so many octets, at steps that are powers of two.
    pub marks: Vec<(u64, Digest)>,
    /// Fields beyond those that are kept.
    pub more_fields: bool,
}

/// Names that are listed; the rest is only counted.
const NAMED_MAX: usize = 5;

impl Fingerprint {
    /// What is other in `received`: a clause each; empty if it is the same content.
    pub fn differences(&self, received: &Self) -> Vec<String> {
        let mut told = self.fields_told(received);
        told.extend(self.body_told(received));
        told
    }

    fn fields_told(&self, received: &Self) -> Vec<String> {
        if self.fields == received.fields {
            return Vec::new();
        }
        let lacks = |of: &[(String, Digest)], others: &[(String, Digest)]| {
            let mut left = others.to_vec();
            let mut missing = Vec::new();
            for field in of {
                match left.iter().position(|other| other == field) {
                    Some(at) => drop(left.swap_remove(at)),
                    None => missing.push(field.0.clone()),
                }
            }
            missing
        };
        let mut gone = lacks(&self.fields, &received.fields);
        let mut come = lacks(&received.fields, &self.fields);
        let mut rewritten = Vec::new();
        gone.retain(|name| match come.iter().position(|other| other == name) {
            Some(at) => {
                rewritten.push(come.swap_remove(at));
                false
            }
            None => true,
        });
        let kinds = [("rewritten", rewritten), ("taken out", gone), ("put in", come)];
        let told: Vec<String> = kinds
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(how, names)| format!("{} {how}", fields(names)))
            .collect();
        if told.is_empty() { vec!["the header fields in another order".to_owned()] } else { told }
    }

    fn body_told(&self, received: &Self) -> Option<String> {
        let (sent, came) = (self.body_octets, received.body_octets);
        if self.body == received.body && sent == came {
            return None;
        }
        let shared = self.marks.iter().filter_map(|mark| {
            let other = received.marks.iter().find(|other| other.0 == mark.0)?;
            Some((mark.0, other.1 == mark.1))
        });
        let shared: Vec<(u64, bool)> = shared.collect();
        let same =
            shared.iter().take_while(|(_, is_same)| *is_same).last().map_or(0, |mark| mark.0);
        let other = shared.iter().find(|(_, is_same)| !is_same).map(|mark| mark.0);
        let lengths = match sent == came {
            true => format!("the body altered ({sent} octets before and after"),
            false => format!("the body altered ({sent} octets sent, {came} arrived"),
        };
        let place = match (same, other) {
            (0, Some(other)) => format!("within its first {other} octets"),
            (same, Some(other)) => format!("first between its octets {same} and {other}"),
            (0, None) => "it is too short to say where".to_owned(),
            (same, None) => format!("behind its octet {same}"),
        };
        Some(format!("{lengths}; {place})"))
    }
}

fn fields(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let word = if names.len() == 1 { "the field" } else { "the fields" };
    format!("{word} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(fields: &[(&str, u8)], body: u8, octets: u64, marks: &[(u64, u8)]) -> Fingerprint {
        let digest = |number| [number; 16];
        Fingerprint {
            fields: fields.iter().map(|(name, of)| ((*name).to_owned(), digest(*of))).collect(),
            body: digest(body),
            body_octets: octets,
            marks: marks.iter().map(|(at, of)| (*at, digest(*of))).collect(),
            ..Fingerprint::default()
        }
    }

    #[test]
    fn what_was_done_to_it() {
        let sent = print(&[("from", 1), ("subject", 2)], 3, 4_000, &[(1_024, 4), (2_048, 5)]);
        for (received, told) in [
            (sent.clone(), &[][..]),
            (
                print(&[("from", 1), ("subject", 9), ("x-scanned", 7)], 3, 4_000, &[]),
                &["the field subject rewritten", "the field x-scanned put in"],
            ),
            (print(&[("subject", 2)], 3, 4_000, &[]), &["the field from taken out"]),
            (
                print(&[("subject", 2), ("from", 1)], 3, 4_000, &[]),
                &["the header fields in another order"],
            ),
            // a footer
            (
                print(&[("from", 1), ("subject", 2)], 9, 4_200, &[(1_024, 4), (2_048, 5)]),
                &["the body altered (4000 octets sent, 4200 arrived; behind its octet 2048)"],
            ),
            // one octet
            (
                print(&[("from", 1), ("subject", 2)], 9, 4_000, &[(1_024, 4), (2_048, 8)]),
                &[
                    "the body altered (4000 octets before and after; first between its octets 1024 and 2048)",
                ],
            ),
        ] {
            assert_eq!(sent.differences(&received), told);
        }
    }
}
