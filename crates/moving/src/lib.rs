//! From the hosted service to Salon: what was made there is brought here, and what both answer is compared.
//! Reading order: `hosted` (reading from there), `told` (what was told, as rows of ours), `import` (the whole of it),
//! `journal` (what became of everything), `differences`, `shadow` (asking both).
//! Invariant: nothing is changed at the hosted service, nothing is deleted here.

pub mod address;
mod differences;
pub mod hosted;
pub mod import;
pub mod journal;
mod retry;
pub mod shadow;
mod told;
