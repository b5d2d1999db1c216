//! `[routes]` and `default_route`.

use transport::TlsLevel;

use super::Found;
use crate::config::{Config, Route};

impl Found<'_, '_> {
    pub(super) fn routes(&mut self, config: &Config) {
        for (pattern, route) in &config.routes {
            let path = ["routes", pattern.as_str()];
            self.pattern(&path, pattern);
            self.route(&path, route);
        }
        if let Some(route) = &config.default_route {
            self.route(&["default_route"], route);
        }
    }

    fn route(&mut self, path: &[&str], route: &Route) {
        let at = |key| [path, &[key]].concat();
        if route.mx == Some(false) && route.next_hop.is_empty() {
            let help = "name a `next_hop`, or leave out `mx`";
            self.error(&at("mx"), "neither MX nor `next_hop`: mail can't go anywhere", help);
        }
        if route.implicit_tls && route.tls == TlsLevel::Never {
            let help = "leave out one of them";
            self.error(&at("implicit_tls"), "`implicit_tls` against `tls = \"never\"`", help);
        }
        if route.next_hop.iter().any(|hop| hop.is_lmtp()) && route.mx == Some(true) {
            self.error(&at("mx"), "an MX is looked up for SMTP only", "leave out `mx`");
        }
        if route.connections_max == Some(0) {
            let help = "leave it out for the default, or hold mail with `mailwright queue hold`";
            self.error(&at("connections_max"), "`connections_max` is 0: no mail would pass", help);
        }
        self.keywords(&at("avoid"), &route.avoid);
        self.keywords(&at("use"), &route.allow);
        self.credentials(path, route);
        if let Some(retry) = &route.retry {
            self.retry(&at("retry"), retry);
        }
    }

    fn credentials(&mut self, path: &[&str], route: &Route) {
        let Some(auth) = &route.auth else { return };
        let at = [path, &["auth"]].concat();
        match (&auth.password, &auth.password_file) {
            (None, None) => self.error(&at, "no password", "name a `password_file`"),
            (Some(_), Some(_)) => {
                self.error(&at, "`password` and `password_file`", "keep one of them");
            }
            (None, Some(file)) => {
                self.file(&[&at[..], &["password_file"]].concat(), file);
            }
            (Some(_), None) => (),
        }
        let local =
            !route.next_hop.is_empty() && route.next_hop.iter().all(|hop| hop.is_loopback());
        if !route.tls.is_binding() && !route.implicit_tls && !local {
            let help = "set `tls = \"verified\"` (or \"required\"): whoever is in between could read it else";
            self.error(&at, "the password could be sent in clear", help);
        }
        if route.next_hop.is_empty() {
            let help = "a password belongs to one server: name it as `next_hop`";
            self.error(&at, "the password would be offered to every MX", help);
        }
    }
}
