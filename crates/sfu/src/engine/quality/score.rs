//! How good a call is likely to be for the person at the other end, from 1 (bad) to 5 (excellent), as a mean opinion score
//! has it (ITU-T P.800). Sound by a simplified E-model; pictures by an estimate of our own. Pure arithmetic.

use std::time::Duration;

/// What capture, encoding, playing and the frame itself add one way, about: 20 ms of Opus and 40 ms in the two machines.
const ENDS_MS: f32 = 60.0;

/// How well the codec bears loss (packet-loss robustness factor, ITU-T G.107 section 3.5). G.113 has no value for Opus; with
/// in-band FEC and its own concealment it does about as well as G.711 with concealment, 25.
const ROBUSTNESS: f32 = 25.0;

/// Sound: ITU-T G.107 with the defaults of all that is not the network's, so that R = 93.2 - Id - Ie,eff. Id grows with the
/// delay from mouth to ear (the usual approximation of the G.107 curve by two lines), which takes a jitter buffer of twice
/// the jitter; Ie,eff = 95 p / (p + Bpl) with p percent of the packets lost at random.
pub(crate) fn sound(loss: f32, rtt: Duration, jitter: Duration) -> f32 {
    let delay = rtt.as_secs_f32() * 500.0 + jitter.as_secs_f32() * 2_000.0 + ENDS_MS;
    let id = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let r = (93.2 - id - 95.0 * percent / (percent + ROBUSTNESS)).clamp(0.0, 100.0);
    // G.107 Annex B.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// What a picture's score is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    /// The share of the last seconds in which it stood still though it should not.
    pub frozen: f32,
    /// The share of packets that did not come the first time.
    pub loss: f32,
    /// How many steps smaller it is than was asked for.
    pub steps_down: u8,
    /// Bits for each pixel of each frame. None if it is not known.
    pub bits_per_pixel: Option<f32>,
}

/// Below so many bits for each pixel of a frame VP8 shows blocks in anything that moves.
const FEW_BITS: f32 = 0.02;

/// A picture: 5, less by what viewers notice. Standing still weighs most: a fifth of the time leaves half. Each step smaller
/// than asked for takes an eighth, loss what waiting for what is sent again costs, and few bits a fifth at most, because a
/// picture in which nothing moves needs few. Not a standard: an estimate to compare calls by.
pub(crate) fn picture(of: Picture) -> f32 {
    let moving = (1.0 - 2.5 * of.frozen).clamp(0.0, 1.0);
    let size = 0.875_f32.powi(i32::from(of.steps_down));
    let whole = 1.0 - of.loss.clamp(0.0, 0.5);
    let bits = of.bits_per_pixel.map_or(1.0, |bits| 0.8 + 0.2 * (bits / FEW_BITS).clamp(0.0, 1.0));
    1.0 + 4.0 * moving * size * whole * bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn sound_over_a_good_line_is_as_good_as_the_model_has_it() {
        // R = 93.2 - 0.024 * 80 = 91.3 is a score of 4.38 by G.107's table B.1.
        let near = sound(0.0, ms(20), ms(5));
        assert!((4.3..4.42).contains(&near), "{near}");
    }

    #[test]
    fn loss_delay_and_jitter_each_make_sound_worse() {
        let good = sound(0.0, ms(50), ms(5));
        let lossy = [0.01, 0.05, 0.1, 0.3].map(|loss| sound(loss, ms(50), ms(5)));
        assert!(lossy.is_sorted_by(|a, b| a > b) && good > lossy[0], "{good} {lossy:?}");
        // 10 %: Ie,eff 27, R 64, which is "many users dissatisfied".
        assert!((3.1..3.5).contains(&lossy[2]), "{}", lossy[2]);
        let far = sound(0.0, ms(600), ms(5));
        assert!(far < 3.5, "{far}");
        assert!(sound(0.0, ms(50), ms(80)) < good);
        assert!((sound(1.0, ms(5_000), ms(900)) - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_picture_loses_by_standing_still_by_size_by_loss_and_by_few_bits() {
        let best = Picture { frozen: 0.0, loss: 0.0, steps_down: 0, bits_per_pixel: Some(0.1) };
        assert_eq!(picture(best), 5.0);
        assert_eq!(picture(Picture { frozen: 0.2, ..best }), 3.0);
        assert_eq!(picture(Picture { frozen: 0.5, ..best }), 1.0);
        assert_eq!(picture(Picture { steps_down: 1, ..best }), 4.5);
        assert!((picture(Picture { loss: 0.1, ..best }) - 4.6).abs() < 1e-3);
        assert!((picture(Picture { bits_per_pixel: Some(0.0), ..best }) - 4.2).abs() < 1e-3);
        assert_eq!(picture(Picture { bits_per_pixel: None, ..best }), 5.0);
    }
}
