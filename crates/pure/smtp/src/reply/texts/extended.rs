//! The replies of extensions beyond RFC 5321: every text, under a name.

use crate::reply::Reply;

/// Extensions beyond RFC 5321.
impl Reply {
    /// `502` to TURN: why, and what there is instead (RFC 5321 appendix F.1).
    pub fn turn_refused() -> Self {
        let text = "TURN would give mail to whoever asks: use ETRN (RFC 1985) or ATRN (RFC 2645)";
        Self::new(502, (5, 7, 0), text)
    }

    /// `250` to VRFY: the mailbox is there (RFC 5321 section 3.5.1).
    pub fn verified(path: &str) -> Self {
        Self::new(250, (2, 1, 5), format!("<{path}>"))
    }

    /// `250` to EXPN: the members, a line each.
    pub fn expanded<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let lines: Vec<_> = paths.map(|path| format!("<{path}>")).collect();
        Self::new(250, (2, 1, 5), lines.join("\n"))
    }

    /// `252` to EXPN: discloses nothing.
    pub fn not_expanded() -> Self {
        Self::new(252, (2, 0, 0), "lists are not shown here: try RCPT")
    }

    /// `550` to EXPN: the name is that of no list.
    pub fn no_such_list() -> Self {
        Self::new(550, (5, 1, 1), "no list here by that name")
    }

    /// `251` to ETRN: nothing waits for it (RFC 1985 section 5.3).
    pub fn nothing_waits() -> Self {
        Self::new(251, (2, 0, 0), "no messages wait for that node")
    }

    /// `253` to ETRN: so many messages wait, and are sent on now.
    pub fn queue_started(count: usize) -> Self {
        Self::new(
            253,
            (2, 0, 0),
            format!("{count} messages wait for that node and are sent on now"),
        )
    }

    /// `458` to ETRN: this server queues nothing for that node.
    pub fn no_such_node() -> Self {
        Self::new(458, (4, 4, 4), "no mail is queued here for that node")
    }

    /// `459` to ETRN: not for this client.
    pub fn node_not_allowed() -> Self {
        Self::new(459, (4, 7, 1), "not for this client")
    }

    /// `250` to ATRN: from the next octet on, the roles are swapped (RFC 2645 section 5.2.1).
    pub fn reversing() -> Self {
        Self::new(250, (2, 0, 0), "now reversing the connection")
    }

    /// `453` to ATRN: nothing waits for these domains.
    pub fn no_mail_for_you() -> Self {
        Self::new(453, (4, 0, 0), "you have no mail")
    }

    /// `450` to ATRN: a domain is not this user's.
    pub fn reversal_refused() -> Self {
        Self::new(450, (4, 7, 1), "ATRN refused: a domain is not this user's")
    }

    /// `452` to MAIL: as many transactions as MAILMAX says (RFC 9422 section 5.1).
    pub fn too_many_transactions() -> Self {
        Self::new(452, (4, 5, 3), "too many messages in a session: open another")
    }

    /// `503` to DATA or BDAT over LMTP when every RCPT was refused (RFC 2033 section 4.2).
    pub fn no_recipients_for_lmtp() -> Self {
        Self::new(503, (5, 5, 1), "no recipient was accepted")
    }

    /// `250` to MAIL: accepted, with another priority than asked for (RFC 6710 section 4.1).
    pub fn priority_lowered(priority: i8) -> Self {
        Self::new(250, (2, 3, 6), format!("{priority} is the priority that it gets"))
    }

    /// `554` to MAIL: BY= has less time than this server asks for (RFC 2852 section 4).
    pub fn deliver_by_too_soon() -> Self {
        Self::new(554, (5, 4, 7), "BY leaves less time than this server asks for")
    }

    /// `501` to MAIL: HOLDFOR or HOLDUNTIL is over the limit (RFC 4865 section 4).
    pub fn held_too_long() -> Self {
        Self::new(501, (5, 5, 4), "held back for longer than this server does")
    }

    /// `550`: a class of solicitation that is not taken (RFC 3865 section 2.3).
    pub fn solicitation_refused() -> Self {
        Self::new(550, (5, 7, 1), "solicitation of this class is not taken here")
    }

    /// `550` to RCPT with RRVS: the mailbox is another's since (RFC 7293 section 5.1).
    pub fn mailbox_owner_changed() -> Self {
        Self::new(550, (5, 7, 17), "the mailbox has had another owner since that time")
    }

    /// `554` to MAIL of a user: the domain is one label that means nothing here (RFC 6409 section 4.2).
    pub fn reverse_path_incomplete() -> Self {
        Self::new(554, (5, 1, 8), "the reverse-path's domain is not complete")
    }

    /// `554` to RCPT of a user: the same.
    pub fn forward_path_incomplete() -> Self {
        Self::new(554, (5, 1, 2), "the recipient's domain is not complete")
    }

    /// `250` to XFORWARD.
    pub fn noted() -> Self {
        Self::new(250, (2, 0, 0), "noted")
    }

    /// `504` to XEXCH50 and X-LINK2STATE before AUTH, in Exchange's own words (without a status, as there).
    pub fn exchange_needs_auth() -> Self {
        Self::bare(504, "Need to authenticate first")
    }

    /// `354` to XEXCH50.
    pub fn send_exchange_properties() -> Self {
        Self::bare(354, "send binary data")
    }

    /// `250` behind the octets of XEXCH50.
    pub fn exchange_properties_discarded() -> Self {
        Self::new(250, (2, 0, 0), "XEXCH50 data received, and of no use here")
    }

    /// `250` to X-LINK2STATE: there is no news from this end.
    pub fn no_link_state() -> Self {
        Self::new(250, (2, 0, 0), "DONE: no link state here")
    }
}
