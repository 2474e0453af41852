//! The Fourier transform that the Opus decoder (`ruopus`) wants: without one it sums every term of every sound, and a single
//! voice takes a processor. The crate whose name and items these are brings a megabyte of what is not needed.
//! Pure. Invariant: `inverse` undoes `forward` but for the factor of its length; neither scales.
//! Never read by anything of ours.

use std::f64::consts::TAU;
use std::ops::{Add, Mul};

/// A complex number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Complex<T> {
    pub re: T,
    pub im: T,
}

impl<T> Complex<T> {
    pub const fn new(re: T, im: T) -> Self {
        Self { re, im }
    }
}

impl Add for Complex<f32> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Mul for Complex<f32> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

/// The numbers are not as many as the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongLength;

/// Transforms of one length, in place.
pub trait C2cPlan<T> {
    /// `out[k] = Σ in[n]·e^(-2πi·kn/N)`.
    ///
    /// # Errors
    /// There are more or fewer numbers than the plan is for.
    fn forward(&mut self, numbers: &mut [Complex<T>]) -> Result<(), WrongLength>;

    /// `out[n] = Σ in[k]·e^(2πi·kn/N)`.
    ///
    /// # Errors
    /// There are more or fewer numbers than the plan is for.
    fn inverse(&mut self, numbers: &mut [Complex<T>]) -> Result<(), WrongLength>;
}

/// The plan for one length. Any will do; those made of small primes are fast.
#[derive(Debug, Clone)]
pub struct RealFftC2cPlan<T> {
    /// `e^(-2πi·k/N)`.
    turns: Vec<Complex<T>>,
    given: Vec<Complex<T>>,
    column: Vec<Complex<T>>,
}

impl RealFftC2cPlan<f32> {
    pub fn new(length: usize) -> Self {
        let turn = |k: usize| {
            let (sin, cos) = (-TAU * k as f64 / length as f64).sin_cos();
            Complex::new(cos as f32, sin as f32)
        };
        let none = vec![Complex::default(); length];
        Self { turns: (0..length).map(turn).collect(), given: none.clone(), column: none }
    }
}

impl C2cPlan<f32> for RealFftC2cPlan<f32> {
    fn forward(&mut self, numbers: &mut [Complex<f32>]) -> Result<(), WrongLength> {
        if numbers.len() != self.turns.len() {
            return Err(WrongLength);
        }
        self.given.copy_from_slice(numbers);
        transform(&self.given, numbers, &mut self.column, &self.turns);
        Ok(())
    }

    fn inverse(&mut self, numbers: &mut [Complex<f32>]) -> Result<(), WrongLength> {
        swap(numbers);
        self.forward(numbers)?;
        swap(numbers);
        Ok(())
    }
}

/// With the real and the imaginary parts in each other's place, forward is backward.
fn swap(numbers: &mut [Complex<f32>]) {
    for Complex { re, im } in numbers {
        std::mem::swap(re, im);
    }
}

/// Cooley and Tukey: a transform of every second number (third, fifth) from the first on, one from the second on, and these put
/// together. What is given has the numbers as far apart as there are more turns than numbers to be made.
fn transform(given: &[Complex<f32>], made: &mut [Complex<f32>], column: &mut [Complex<f32>], turns: &[Complex<f32>]) {
    let length = made.len();
    let Some(factor) = (2..=length).find(|factor| length.is_multiple_of(*factor)) else {
        made.copy_from_slice(&given[..length]);
        return;
    };
    let (apart, part) = (turns.len() / length, length / factor);
    for (at, made) in made.chunks_exact_mut(part).enumerate() {
        transform(&given[at * apart..], made, column, turns);
    }
    let column = &mut column[..factor];
    for k in 0..part {
        for (at, number) in column.iter_mut().enumerate() {
            *number = made[at * part + k] * turns[at * k * apart];
        }
        for row in 0..factor {
            let turned = |(at, number): (usize, &Complex<f32>)| *number * turns[at * row % factor * part * apart];
            made[row * part + k] = column.iter().enumerate().map(turned).fold(Complex::default(), Add::add);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is written in books.
    fn summed(numbers: &[Complex<f32>]) -> Vec<Complex<f32>> {
        let term = |k: usize, n: usize| {
            let (sin, cos) = (-TAU * (k * n % numbers.len()) as f64 / numbers.len() as f64).sin_cos();
            numbers[n] * Complex::new(cos as f32, sin as f32)
        };
        (0..numbers.len()).map(|k| (0..numbers.len()).map(|n| term(k, n)).fold(Complex::default(), Add::add)).collect()
    }

    fn check(length: usize) {
        let numbers: Vec<_> = (0..length).map(|n| Complex::new((n * n % 17) as f32 - 8.0, (n * 7 % 11) as f32 - 5.0)).collect();
        let mut plan = RealFftC2cPlan::new(length);
        let mut made = numbers.clone();
        plan.forward(&mut made).expect("as many as it is for");
        let apart = |one: &[Complex<f32>], other: &[Complex<f32>]| {
            one.iter().zip(other).map(|(a, b)| (a.re - b.re).abs() + (a.im - b.im).abs()).fold(0.0, f32::max)
        };
        assert!(apart(&made, &summed(&numbers)) < 0.01, "forward, {length}");
        plan.inverse(&mut made).expect("as many as it is for");
        let scaled: Vec<_> = numbers.iter().map(|number| *number * Complex::new(length as f32, 0.0)).collect();
        assert!(apart(&made, &scaled) < 0.02 * length as f32, "there and back, {length}");
    }

    #[test]
    fn it_is_the_sum_of_all_terms() {
        // What Opus uses, then what it does not.
        for length in [60, 120, 240, 480, 1, 2, 3, 4, 7, 30, 49] {
            check(length);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let mut plan = RealFftC2cPlan::new(4);
        assert_eq!(plan.forward(&mut [Complex::default(); 3]), Err(WrongLength));
        assert_eq!(plan.inverse(&mut [Complex::default(); 5]), Err(WrongLength));
        assert_eq!(RealFftC2cPlan::new(0).forward(&mut []), Ok(()));
    }
}
