//! What the next hop's EHLO reply offers (RFC 5321 section 4.1.1.1).
//!
//! Tolerant: keywords in any case, odd blanks, empty lines, keywords said twice, `AUTH=LOGIN` as old
//! servers write it. What isn't known is kept and shown, and never used.

use super::features::Features;
use crate::reply::parse::Heard;

/// The offer of one EHLO reply; empty after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The lines behind the first, parted by `\n`.
    lines: String,
    offered: Features,
    size_max: Option<u64>,
}

impl Extensions {
    /// Reads an EHLO reply. Its first line is the peer's name and no extension.
    pub(super) fn read(heard: &Heard<'_>) -> Self {
        let mut extensions = Self::default();
        for text in heard.texts().skip(1) {
            extensions.lines.push_str(&String::from_utf8_lossy(text));
            extensions.lines.push('\n');
        }
        let (mut offered, mut size_max) = (Features::EHLO, None);
        for (keyword, parameters) in extensions.iter() {
            let feature = Features::by_name(keyword).unwrap_or_default();
            offered = offered.with(feature);
            if feature == Features::SIZE {
                // RFC 1870 section 4: no number and 0 both say that there is no fixed limit.
                size_max = size_max.or(parameters.trim().parse().ok().filter(|&limit| limit > 0));
            }
        }
        (extensions.offered, extensions.size_max) = (offered, size_max);
        extensions
    }

    /// Each keyword with its parameters, as sent and in that order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
            line.split_once([' ', '\t', '='])
                .map_or((line, ""), |(keyword, parameters)| (keyword, parameters.trim_start()))
        })
    }

    /// Whether a keyword is offered, in any case.
    pub fn has(&self, keyword: &str) -> bool {
        self.iter().any(|(offered, _)| offered.eq_ignore_ascii_case(keyword))
    }

    /// Those offered that this client can use.
    pub fn offered(&self) -> Features {
        self.offered
    }

    /// The largest message in octets, where the next hop set a limit (RFC 1870).
    pub fn size_max(&self) -> Option<u64> {
        self.size_max
    }

    /// The SASL mechanisms, from `AUTH` and from the old `AUTH=`; one may come twice.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(|(keyword, _)| keyword.eq_ignore_ascii_case("AUTH"))
            .flat_map(|(_, mechanisms)| mechanisms.split_ascii_whitespace())
    }
}
