//! Standard Webhooks: HMAC-SHA256 with a secret of the webhook's own, over id, time and body. Pure, but for fresh secrets.
//! Source: the specification of Standard Webhooks (ids, `v1,` signatures separated by blanks, secrets as `whsec_` and base64).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use salon_core::Timestamp;
use salon_store::Secret;

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// A new secret of 256 random bits.
pub fn fresh_secret() -> String {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// The value of `webhook-signature`, of the secret and of the one before it while that is good.
pub fn signatures(secret: &Secret, id: &str, now: Timestamp, body: &[u8]) -> String {
    let secs = now.0.div_euclid(1_000);
    let former = secret.former.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
    let signed = [Some(&secret.now), former].into_iter().flatten().map(|secret| format!("v1,{}", sign(secret, id, secs, body)));
    signed.collect::<Vec<_>>().join(" ")
}

fn sign(secret: &str, id: &str, secs: i64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.trim_start_matches(PREFIX)).unwrap_or_else(|_| secret.as_bytes().to_vec());
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{secs}.").as_bytes());
    context.update(body);
    STANDARD.encode(context.sign())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_is_the_standards_signature() {
        let secret = Secret { now: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), former: None };
        let body = br#"{"test": 2432232314}"#;
        let signature = signatures(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp(1_614_265_330_999), body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_former_secret_signs_for_a_while() {
        let secret = Secret { now: fresh_secret(), former: Some((fresh_secret(), Timestamp(10_000))) };
        let signed = |at: i64| signatures(&secret, "a", Timestamp(at), b"{}");
        assert_eq!((signed(9_999).split(' ').count(), signed(10_000).split(' ').count()), (2, 1));
        assert!(signed(9_999).split(' ').all(|one| one.starts_with("v1,")));
        assert_ne!(secret.now, fresh_secret());
    }
}
