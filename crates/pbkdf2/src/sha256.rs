//! SHA-256 (FIPS 180-4 section 6.2) on every lane of a [`Machine`].

#[cfg(target_arch = "aarch64")]
use crate::aarch64::Sha2;
use crate::hash::Hash;
use crate::machine::{Machine, sum};
use crate::stream::Stream;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::ShaNi;

/// The words of a state, and of a digest.
pub(crate) const WORDS: usize = 8;

/// SHA-256.
pub(crate) struct Sha256;

impl Hash<WORDS> for Sha256 {
    const INITIAL: [u32; WORDS] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    #[inline(always)]
    fn compress<M: Machine>(
        machine: M,
        start: &[M::Vector; WORDS],
        mut words: [M::Vector; 16],
    ) -> [M::Vector; WORDS] {
        let [first, second, rest @ ..] = &CONSTANTS;
        let mut state = *start;
        sixteen!(I => {
            state = round(machine, state, words[I], first[I]);
        });
        // The second sixteen apart from the rest, so that the constant words of a block with known
        // padding are folded.
        sixteen!(I => {
            expand!(machine, words, I);
            state = round(machine, state, words[I], second[I]);
        });
        for constants in rest {
            sixteen!(I => {
                expand!(machine, words, I);
                state = round(machine, state, words[I], constants[I]);
            });
        }
        sum(machine, state, start)
    }

    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<WORDS>, iterations: u32) {
        machine.iterate_sha256(stream, iterations);
    }

    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<WORDS>], iterations: u32) {
        machine.iterate_sha256(streams, iterations);
    }
}

/// Replaces word `$i` of the message schedule by the one sixteen places later.
macro_rules! expand {
    ($machine:ident, $words:ident, $i:ident) => {
        let near = $machine.add($words[$i], $words[($i + 9) % 16]);
        let far = $machine.add(
            sigma0($machine, $words[($i + 1) % 16]),
            sigma1($machine, $words[($i + 14) % 16]),
        );
        $words[$i] = $machine.add(near, far);
    };
}
use expand;

#[inline(always)]
fn round<M: Machine>(
    machine: M,
    [a, b, c, d, e, f, g, h]: [M::Vector; WORDS],
    word: M::Vector,
    constant: u32,
) -> [M::Vector; WORDS] {
    let early = machine.add(h, machine.add(word, machine.splat(constant)));
    let early = machine.pin(machine.add(early, machine.choose(e, f, g)));
    let first = machine.pin(machine.add(early, big_sigma1(machine, e)));
    let second = machine.pin(machine.add(big_sigma0(machine, a), machine.majority(a, b, c)));
    [
        machine.add(first, second),
        a,
        b,
        c,
        machine.add(d, first),
        e,
        f,
        g,
    ]
}

#[inline(always)]
fn big_sigma0<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<2>(x),
        machine.rotate_right::<13>(x),
        machine.rotate_right::<22>(x),
    )
}

#[inline(always)]
fn big_sigma1<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<6>(x),
        machine.rotate_right::<11>(x),
        machine.rotate_right::<25>(x),
    )
}

#[inline(always)]
fn sigma0<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<7>(x),
        machine.rotate_right::<18>(x),
        machine.shift_right::<3>(x),
    )
}

#[inline(always)]
fn sigma1<M: Machine>(machine: M, x: M::Vector) -> M::Vector {
    machine.parity(
        machine.rotate_right::<17>(x),
        machine.rotate_right::<19>(x),
        machine.shift_right::<10>(x),
    )
}

/// The constants of the sixty-four rounds.
pub(crate) const CONSTANTS: [[u32; 16]; 4] = [
    [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
    ],
    [
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
    ],
    [
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
    ],
    [
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ],
];
