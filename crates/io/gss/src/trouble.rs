//! What went wrong, in an administrator's words, with the library's own beside them.
//!
//! The library tells of trouble by two numbers: the major one is the GSS-API's (RFC 2744 section 3.9.1), the
//! minor one Kerberos's own (RFC 4120 section 7.5.9, and MIT's codes for what never gets onto the wire). Only
//! the minor one says what to do.

use std::fmt;

/// Where MIT's error table of Kerberos begins (`ERROR_TABLE_BASE_krb5`); a code of RFC 4120 is added.
const KRB5: i32 = -1_765_328_384;

/// Why a context could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it means, and whom it concerns.
    pub reason: Reason,
    /// The library's words, major status and minor status.
    pub words: String,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no library to do it, or one that lacks a function.
    NoLibrary,
    /// The keytab is missing or can't be read.
    KeytabUnreadable,
    /// The keytab has no key of the service that it is for.
    NoServiceKey,
    /// The ticket is for a service that the keytab has no key of.
    NotInKeytab,
    /// The keytab has another key of the service than the KDC.
    WrongKey,
    /// The clocks of two machines differ too much.
    ClockSkew,
    /// The ticket's time is over.
    TicketExpired,
    /// There is no ticket, and nothing to get one with.
    NoTicket,
    /// The KDC does not know the client's principal.
    UnknownClient,
    /// The KDC does not know the server's principal.
    UnknownService,
    /// The key in the client's keytab is not the one of the KDC.
    ClientKey,
    /// The account is locked or has expired.
    Locked,
    /// The realm is not known here, or trusts nobody that would help.
    Realm,
    /// No KDC answered.
    KdcUnreachable,
    /// The two sides are not at the ends of one TLS connection.
    Bindings,
    /// The token was seen before.
    Replayed,
    /// What came is no token of Kerberos, or was altered.
    BadToken,
    /// The context lacks what SASL needs: integrity, or the server's own proof.
    Unprotected,
    /// None of these.
    Other,
}

impl Reason {
    /// By the two numbers.
    pub(crate) fn of(major: u32, minor: u32) -> Self {
        let minor = minor.cast_signed();
        match minor.wrapping_sub(KRB5) {
            37 => return Self::ClockSkew,
            32 | 33 => return Self::TicketExpired,
            34 => return Self::Replayed,
            // AP_ERR_BAD_INTEGRITY, MODIFIED, BADKEYVER; KT_KVNONOTFOUND.
            31 | 41 | 44 | 230 => return Self::WrongKey,
            // AP_ERR_NOT_US, NOKEY; AP_WRONG_PRINC, KT_NOTFOUND.
            35 | 45 | 144 | 181 => return Self::NotInKeytab,
            // KT_BADNAME, KT_UNKNOWN_TYPE, KT_IOERR.
            179 | 180 | 184 => return Self::KeytabUnreadable,
            6 => return Self::UnknownClient,
            7 => return Self::UnknownService,
            // KDC_ERR_PREAUTH_FAILED; PREAUTH_FAILED.
            24 | 210 => return Self::ClientKey,
            1 | 2 | 18 | 19 | 23 => return Self::Locked,
            // KDC_ERR_WRONG_REALM; REALM_UNKNOWN, NO_TKT_IN_RLM, HOST_REALM_UNKNOWN.
            68 | 154 | 185 | 217 => return Self::Realm,
            // KDC_UNREACH, REALM_CANT_RESOLVE.
            156 | 220 => return Self::KdcUnreachable,
            // CC_NOTFOUND, CC_END, FCC_PERM, FCC_NOFILE, NO_TKT_SUPPLIED, CC_FORMAT.
            141 | 142 | 143 | 194 | 195 | 199 => return Self::NoTicket,
            _ => {}
        }
        match (major >> 16) & 0xff {
            4 => Self::Bindings,
            6 | 9 => Self::BadToken,
            7 | 10 => Self::NoTicket,
            11 | 12 => Self::TicketExpired,
            _ => Self::Other,
        }
    }

    /// Whether it is the server that is not set up, whoever wants to be let in.
    pub fn is_of_server(self) -> bool {
        matches!(self, Self::NoLibrary | Self::KeytabUnreadable | Self::NoServiceKey | Self::Other)
    }

    /// Whether a later try may succeed with nothing changed on this machine.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::KdcUnreachable | Self::ClockSkew | Self::TicketExpired)
    }
}

/// The administrator's words.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLibrary => {
                "GSSAPI is not installed on this machine: `libgssapi_krb5.so.2` of MIT Kerberos 1.11 or later is needed"
            }
            Self::KeytabUnreadable => {
                "the keytab is missing or can't be read by the user that this program runs as"
            }
            Self::NoServiceKey => {
                "the keytab has no key of our service: `smtp/HOST@REALM` belongs into it (`klist -k` lists it)"
            }
            Self::NotInKeytab => {
                "the ticket is for a service that the keytab has no key of: compare the name in the ticket (`klist`) \
                 with those in the keytab (`klist -k`)"
            }
            Self::WrongKey => {
                "the keytab's key is not the one that the KDC made the ticket with: export the keytab again \
                 (`kvno` and `klist -k` show both versions), or get a new ticket"
            }
            Self::ClockSkew => {
                "the clocks of client, server and KDC differ by more than Kerberos allows (5 minutes, unless \
                 `clockskew` in krb5.conf says otherwise): set them by NTP"
            }
            Self::TicketExpired => "the ticket has expired or is not valid yet: get a new one (`kinit`)",
            Self::NoTicket => {
                "there is no Kerberos ticket to log in with: `ccache` must name a cache with a ticket, or `keytab` a \
                 keytab with the principal's key"
            }
            Self::UnknownClient => "the KDC does not know the principal that is to log in",
            Self::UnknownService => {
                "the KDC does not know the server's service principal: `smtp/HOST@REALM` must exist under the name \
                 by which the server is called"
            }
            Self::ClientKey => {
                "the KDC refused the principal's key: the keytab to log in with is older than the password"
            }
            Self::Locked => "the KDC says that the account or its password has expired, or is locked",
            Self::Realm => {
                "the realm is not the one expected here: krb5.conf names no KDC for it, or it trusts no realm of ours"
            }
            Self::KdcUnreachable => "no KDC of the realm answered",
            Self::Bindings => {
                "the Kerberos token was made for another TLS connection: somebody stands in between, or ends TLS \
                 before us"
            }
            Self::Replayed => "the Kerberos token was used before",
            Self::BadToken => "what came is no Kerberos token, or was altered",
            Self::Unprotected => "the Kerberos context came without integrity or without the server's proof",
            Self::Other => "Kerberos did not do it",
        })
    }
}

/// Both, for the log and for `why`.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words.is_empty() {
            true => write!(f, "{}", self.reason),
            false => write!(f, "{} (GSSAPI: {})", self.reason, self.words),
        }
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_status_says_what_it_is_and_the_major_one_if_it_does_not() {
        const FAILURE: u32 = 13 << 16;
        // MIT's krb5.h has these numbers.
        for (major, minor, reason) in [
            (FAILURE, -1_765_328_347, Reason::ClockSkew),
            (FAILURE, -1_765_328_352, Reason::TicketExpired),
            (FAILURE, -1_765_328_343, Reason::WrongKey),
            (FAILURE, -1_765_328_203, Reason::NotInKeytab),
            (FAILURE, -1_765_328_377, Reason::UnknownService),
            (FAILURE, -1_765_328_378, Reason::UnknownClient),
            (FAILURE, -1_765_328_228, Reason::KdcUnreachable),
            (7 << 16, -1_765_328_189, Reason::NoTicket),
            (4 << 16, 0, Reason::Bindings),
            (9 << 16, 0, Reason::BadToken),
            (11 << 16, 0, Reason::TicketExpired),
            (FAILURE, 2, Reason::Other),
        ] {
            assert_eq!(Reason::of(major, i32::cast_unsigned(minor)), reason, "{major} {minor}");
        }
    }
}
