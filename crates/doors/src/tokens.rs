//! Participant tokens: who a websocket or SDK call speaks for.
//! A JWT signed with a secret that every node reads from the store; the client only decodes its middle part.
//! Invariant: the payload is ASCII ids and numbers only, so its base64url never holds `-` or `_` (web SDK 2.0.2 decodes
//! it with a plain base64 decoder).

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use salon_core::{AppId, MeetingId, ParticipantId, PresetId, RecordingId, Timestamp};
use serde::{Deserialize, Serialize};

/// Makes and checks tokens.
#[derive(Clone)]
pub struct Tokens(Arc<Secrets>);

struct Secrets {
    encoding: EncodingKey,
    decoding: DecodingKey,
    links: aws_lc_rs::hmac::Key,
    life_secs: i64,
}

/// Who a valid token speaks for. Whether that participant still exists is the store's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub app: AppId,
    pub meeting: MeetingId,
    pub participant: ParticipantId,
    /// Until then it opens the door of a waiting room: somebody who may has moved this person there.
    pub let_in_until: Option<Timestamp>,
    /// It is the robot of this recording, which comes in as long as that runs, and may do nothing else.
    pub recording: Option<RecordingId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    org_id: String,
    meeting_id: String,
    participant_id: String,
    preset_id: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    let_in_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    recording: Option<String>,
}

impl Tokens {
    /// `secret` signs; tokens live for `days`.
    pub fn new(secret: &[u8], days: u32) -> Self {
        Self(Arc::new(Secrets {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            links: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret),
            life_secs: i64::from(days) * 86_400,
        }))
    }

    pub fn sign(&self, bearer: &Bearer, preset: &PresetId, now: Timestamp) -> String {
        let iat = now.0 / 1_000;
        let claims = Claims {
            org_id: bearer.app.to_string(),
            meeting_id: bearer.meeting.to_string(),
            participant_id: bearer.participant.to_string(),
            preset_id: preset.to_string(),
            iat,
            exp: iat + self.0.life_secs,
            let_in_until: bearer.let_in_until.map(|until| until.0 / 1_000),
            recording: bearer.recording.as_ref().map(ToString::to_string),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.0.encoding)
            .expect("claims of plain text and numbers can be signed")
    }

    /// Who the token speaks for, if we signed it and it has not expired at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        self.read(token).filter(|(_, expires)| *expires > now).map(|(bearer, _)| bearer)
    }

    /// Who the token speaks for, and until when, if we signed it. One that has expired still says whose connection it is
    /// that comes back.
    pub fn read(&self, token: &str) -> Option<(Bearer, Timestamp)> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is compared with the node's own clock, like every other time.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.0.decoding, &validation).ok()?.claims;
        let bearer = Bearer {
            app: AppId::parse(&claims.org_id).ok()?,
            meeting: MeetingId::parse(&claims.meeting_id).ok()?,
            participant: ParticipantId::parse(&claims.participant_id).ok()?,
            let_in_until: claims.let_in_until.map(|secs| Timestamp(secs.saturating_mul(1_000))),
            recording: claims.recording.map(|id| RecordingId::parse(&id)).transpose().ok()?,
        };
        Some((bearer, Timestamp(claims.exp.saturating_mul(1_000))))
    }

    /// The signature of a link to `what`. A token's payload begins otherwise, so neither can stand for the other.
    pub fn sign_link(&self, what: &str) -> String {
        let tag = aws_lc_rs::hmac::sign(&self.0.links, format!("link\n{what}").as_bytes());
        hex::encode(tag)
    }

    /// Whether we signed a link to `what` so.
    pub fn verify_link(&self, what: &str, signature: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.sign_link(what).as_bytes(), signature.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> Bearer {
        Bearer {
            app: AppId::parse("dev").unwrap(),
            meeting: MeetingId::parse("0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7e").unwrap(),
            participant: ParticipantId::parse("0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7f").unwrap(),
            let_in_until: Some(Timestamp(1_700_000_600_000)),
            recording: RecordingId::parse("r").ok(),
        }
    }

    #[test]
    fn a_token_speaks_for_its_participant_until_it_expires() {
        let tokens = Tokens::new(b"secret", 100);
        let preset = PresetId::parse("p").unwrap();
        let now = Timestamp(1_700_000_000_000);
        let token = tokens.sign(&bearer(), &preset, now);
        assert!(token.starts_with("eyJ"));
        assert_eq!(tokens.verify(&token, now), Some(bearer()));
        assert_eq!(tokens.verify(&token, now.plus_ms(8_640_000_001)), None, "100 days");
        assert_eq!(tokens.read(&token), Some((bearer(), now.plus_ms(8_640_000_000))));
        assert_eq!(Tokens::new(b"other", 100).verify(&token, now), None);
        assert_eq!(tokens.verify("eyJ.eyJ.x", now), None);
    }

    #[test]
    fn the_payload_needs_no_url_alphabet() {
        let tokens = Tokens::new(b"secret", 100);
        for minute in 0..2_000 {
            let token = tokens.sign(&bearer(), &PresetId::parse("p").unwrap(), Timestamp(1_700_000_000_000 + minute * 61_000));
            let payload = token.split('.').nth(1).unwrap();
            assert!(!payload.contains(['-', '_']), "{payload}");
        }
    }
}
