//! The choice of the cryptography that TLS uses: one for the whole process, so it is made in one place.

/// Chooses ring, unless somebody has chosen already: whoever embeds us may have, and then theirs is used.
pub(crate) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
