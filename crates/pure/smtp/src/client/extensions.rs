//! What the next hop's EHLO reply offers (RFC 5321 section 4.1.1.1).
//!
//! Tolerant: keywords in any case, odd blanks, empty lines, keywords said twice, `AUTH=LOGIN` as old
//! servers write it. What isn't known is kept and shown, and never used.

use crate::{extension::Features, reply::parse::Heard};

/// The offer of one EHLO reply; empty after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The lines behind the first, parted by `\n`.
    lines: String,
    offered: Features,
    size_max: Option<u64>,
    deliver_by_min: Option<i64>,
    limits: Limits,
}

/// The limits of one session that LIMITS names (RFC 9422). Unknown ones are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Transactions of the session.
    pub mail_max: Option<u32>,
    /// Recipients of one transaction.
    pub rcpt_max: Option<u32>,
    /// Domains of one transaction's recipients.
    pub rcpt_domain_max: Option<u32>,
}

impl Extensions {
    /// Reads an EHLO reply. Its first line is the peer's name and no extension.
    pub(super) fn read(heard: &Heard<'_>) -> Self {
        let mut extensions = Self::default();
        for text in heard.texts().skip(1) {
            extensions.lines.push_str(&String::from_utf8_lossy(text));
            extensions.lines.push('\n');
        }
        let (mut offered, mut size_max, mut deliver_by_min) = (Features::EHLO, None, None);
        let mut limits = Limits::default();
        for (keyword, parameters) in extensions.iter() {
            let feature = Features::by_name(keyword).unwrap_or_default();
            offered = offered.with(feature);
            if feature == Features::LIMITS {
                limits.read(parameters);
            }
            if feature == Features::DELIVERBY {
                deliver_by_min = deliver_by_min.or(parameters.trim().parse().ok());
            }
            if feature == Features::SIZE {
                // RFC 1870 section 4: no number and 0 both say that there is no fixed limit.
                size_max = size_max.or(parameters.trim().parse().ok().filter(|&limit| limit > 0));
            }
        }
        for line in extensions.lines.lines() {
            // `AUTH=LOGIN` and `X-EXPS=LOGIN`: the old form, whatever mechanisms it names.
            let keyword = line.trim().split_once('=').map_or("", |(keyword, _)| keyword);
            offered = offered.with(match () {
                () if keyword.eq_ignore_ascii_case("AUTH") => Features::AUTH_EQUALS,
                () if keyword.eq_ignore_ascii_case("X-EXPS") => Features::X_EXPS_LOGIN,
                () => Features::NONE,
            });
        }
        Self { offered, size_max, deliver_by_min, limits, ..extensions }
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

    /// The shortest time that BY= with R may leave, in seconds (RFC 2852 section 4); 0 where none is named.
    pub fn deliver_by_min(&self) -> i64 {
        self.deliver_by_min.unwrap_or(0)
    }

    /// The limits that LIMITS names; none without it.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The SASL mechanisms, from `AUTH` and from the old `AUTH=`; one may come twice.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.mechanisms_of("AUTH")
    }

    /// The SASL mechanisms that a keyword lists: `AUTH`, or `X-EXPS` of Exchange.
    pub fn mechanisms_of(&self, keyword: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(offered, _)| offered.eq_ignore_ascii_case(keyword))
            .flat_map(|(_, mechanisms)| mechanisms.split_ascii_whitespace())
    }
}

impl Limits {
    /// `RCPTMAX=100 MAILMAX=5`, in any order and case (RFC 9422 section 4). A value that is no number
    /// between 1 and a million says nothing.
    fn read(&mut self, parameters: &str) {
        for (name, value) in parameters.split_ascii_whitespace().filter_map(|p| p.split_once('=')) {
            let limit = match () {
                () if name.eq_ignore_ascii_case("MAILMAX") => &mut self.mail_max,
                () if name.eq_ignore_ascii_case("RCPTMAX") => &mut self.rcpt_max,
                () if name.eq_ignore_ascii_case("RCPTDOMAINMAX") => &mut self.rcpt_domain_max,
                () => continue,
            };
            *limit = value.parse().ok().filter(|value| (1..=1_000_000).contains(value));
        }
    }
}
