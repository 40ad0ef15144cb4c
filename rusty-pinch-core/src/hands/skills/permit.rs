//! Whether a request is among what a header declares. Pure.

use url::Url;

use super::manifest::{Manifest, SkillHosts};
use crate::hands::egress::hosts::{covers, shown};

/// Why a skill may not make this request; none when it may.
pub(super) fn refusal(manifest: &Manifest, method: &str, url: &str) -> Option<String> {
    if manifest.hosts == SkillHosts::None {
        return Some(format!("it declares no hosts; {}", fix_of(manifest, url)));
    }
    if !manifest.methods.contains(method) {
        let declared: Vec<_> = manifest.methods.iter().copied().collect();
        let declared = declared.join(", ");
        return Some(format!(
            "the method {method} is not declared (only {declared}); add it to the line `//! methods:` of its header"
        ));
    }
    let SkillHosts::Named(hosts) = &manifest.hosts else { return None };
    let Ok(parsed) = Url::parse(url) else {
        return Some("this is no URL; give one such as https://example.com/page".to_owned());
    };
    let (host, port) = (parsed.host().map(|host| shown(&host)), parsed.port_or_known_default());
    if let (Some(host), Some(port)) = (&host, port)
        && hosts.iter().any(|declared| covers(declared, host, port))
    {
        return None;
    }
    Some(format!("the host `{}` is not declared; {}", host.unwrap_or_default(), fix_of(manifest, url)))
}

/// How the owner of the script declares `value` under `key`, in words.
pub(super) fn declaring(manifest: &Manifest, key: &str, value: &str) -> String {
    if manifest.has_header {
        return format!("its owner adds `{value}` to the line `//! {key}:` of its header");
    }
    format!(
        "its owner begins the file, which has no header, with the lines `//! description: <what it does>` and `//! \
         {key}: {value}`"
    )
}

fn fix_of(manifest: &Manifest, url: &str) -> String {
    match Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)) {
        Some(host) => format!("if it is to reach it, {}", declaring(manifest, "hosts", &host)),
        None => declaring(manifest, "hosts", "<host>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ToolName;

    fn manifest(header: &str) -> Manifest {
        let source = format!("//! description: Tries.\n{header}\nfn main() {{}}");
        Manifest::parse(&ToolName::new("x").unwrap(), &source).unwrap()
    }

    #[test]
    fn only_what_is_declared_is_permitted() {
        let named = "//! hosts: api.example.org, *.example.com, 127.0.0.1:8080\n";
        for (header, method, url, expected) in [
            ("", "GET", "https://example.org/", Some("declares no hosts")),
            (named, "GET", "https://api.example.org/x", None),
            (named, "GET", "https://API.example.org./x", None),
            (named, "GET", "https://example.org/", Some("`example.org` is not declared")),
            (named, "GET", "https://api.example.org.evil.net/", Some("is not declared")),
            (named, "GET", "https://api.example.org@evil.net/", Some("`evil.net` is not declared")),
            (named, "GET", "https://evil.net/?api.example.org", Some("is not declared")),
            (named, "GET", "https://evil.net\\@api.example.org/", Some("`evil.net` is not declared")),
            (named, "GET", "https://xapi.example.org/", Some("is not declared")),
            (named, "GET", "https://a.b.example.com/", None),
            (named, "GET", "https://example.com/", Some("is not declared")),
            (named, "GET", "https://evilexample.com/", Some("is not declared")),
            (named, "GET", "http://127.0.0.1:8080/", None),
            (named, "GET", "http://2130706433:8080/", None),
            (named, "GET", "http://127.0.0.1:8081/", Some("is not declared")),
            (named, "GET", "nonsense", Some("no URL")),
            (named, "POST", "https://api.example.org/x", Some("the method POST is not declared")),
            ("//! hosts: any\n", "GET", "https://whoever.net/", None),
            ("//! hosts: any\n", "POST", "https://whoever.net/", Some("POST is not declared")),
            ("//! hosts: a.b\n//! methods: POST\n", "GET", "https://a.b/", Some("GET is not declared")),
        ] {
            let found = refusal(&manifest(header), method, url);
            let holds = match (&found, expected) {
                (None, None) => true,
                (Some(found), Some(part)) => found.contains(part),
                _ => false,
            };
            assert!(holds, "{header:?} {method} {url}: {found:?}");
        }
    }
}
