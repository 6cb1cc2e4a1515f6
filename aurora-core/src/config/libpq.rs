//! Parameters of libpq and other drivers that mean something here, but are not options.

/// What to do instead of giving the parameter `name`.
pub(super) fn remedy(name: &str) -> Option<&'static str> {
    Some(match name {
        "target_session_attrs" => "routing does this; remove it",
        "load_balance_hosts" => "routing does this, see `policy`; remove it",
        "host" | "hostaddr" | "port" => "write hosts and ports between `@` and `/` of the URL",
        "dbname" | "database" => "write the database behind the `/` of the URL",
        "user" => "write the user before the `@` of the URL",
        "password" => "write it before the `@` of the URL, as `user:password@`",
        "passfile" | "service" | "servicefile" => "files of libpq are not read; remove it",
        "sslcert" | "sslkey" | "sslpassword" | "sslcertmode" => {
            "client certificates are not supported yet; remove it"
        }
        "sslcrl" | "sslcrldir" => "revocation lists are not supported; remove it",
        "sslnegotiation"
        | "sslsni"
        | "sslcompression"
        | "requiressl"
        | "channel_binding"
        | "ssl_min_protocol_version"
        | "ssl_max_protocol_version" => "TLS is negotiated here, see `sslmode`; remove it",
        "require_auth" | "gssencmode" | "krbsrvname" | "gsslib" | "gssdelegation"
        | "requirepeer" => "it has no effect here; remove it",
        "keepalives" | "keepalives_idle" => "write `keepalive_idle`, with a unit; `0s` is off",
        "keepalives_interval" | "keepalives_count" => {
            "see `keepalive_idle` and `tcp_user_timeout`; remove it"
        }
        "client_encoding" => "text is always UTF-8; remove it",
        "fallback_application_name" => "write `application_name`",
        "replication" => "replication connections are not supported; remove it",
        "statement_timeout" | "search_path" | "lock_timeout" => {
            "it is a parameter of the session; write `options=-c%20name%3Dvalue`"
        }
        "pool_size" | "max_connections" | "pool_timeout" => {
            "it belongs to your connection pool; remove it from the URL"
        }
        _ => return None,
    })
}

/// Whether the value of a parameter with this name looks like a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token"].iter().any(|part| name.contains(part))
}
