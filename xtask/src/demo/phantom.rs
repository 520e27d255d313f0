//! A sample image of a few megabytes, drawn from numbers: a head in cross-section, the ellipses of Shepp and Logan (IEEE
//! Trans. Nucl. Sci. 21, 1974, modified contrast), with the grain of a detector. The same bytes on every machine.
//!
//! PNG (RFC 2083) with stored, not compressed, blocks (RFC 1950, RFC 1951): any viewer opens it, and it needs no library.

/// Pixels along each side; one byte each.
const SIDE: usize = 2048;

/// Bytes that one stored block may hold (RFC 1951 section 3.2.4).
const MAX_STORED: usize = 65_535;

/// An ellipse: added brightness, half axes, centre, tilt in degrees; the image spans -1..1.
struct Ellipse(f64, f64, f64, f64, f64, f64);

const HEAD: [Ellipse; 10] = [
    Ellipse(1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    Ellipse(-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    Ellipse(-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    Ellipse(-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    Ellipse(0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    Ellipse(0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    Ellipse(0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    Ellipse(0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    Ellipse(0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    Ellipse(0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
];

/// The image as a PNG file.
pub fn png() -> Vec<u8> {
    let side = u32::try_from(SIDE).unwrap_or(u32::MAX).to_be_bytes();
    // Width, height, 8 bits, greyscale, no options.
    let header = [&side[..], &side[..], &[8, 0, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &stored(&rows()));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// Each row of pixels after its filter byte (none).
fn rows() -> Vec<u8> {
    let mut grain = 1_u32;
    let mut bytes = Vec::with_capacity(SIDE * (SIDE + 1));
    for row in 0..SIDE {
        bytes.push(0);
        for column in 0..SIDE {
            // Numerical Recipes' generator: grain needs no better.
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push(pixel(place(column), -place(row), (grain >> 24) as u8));
        }
    }
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "a pixel's index is exact in an f64")]
fn place(index: usize) -> f64 {
    (index as f64 + 0.5) / (SIDE as f64 / 2.0) - 1.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte's range")]
fn pixel(x: f64, y: f64, grain: u8) -> u8 {
    let brightness: f64 = HEAD.iter().filter(|ellipse| ellipse.holds(x, y)).map(|ellipse| ellipse.0).sum();
    (brightness * 220.0 + f64::from(grain) / 16.0).clamp(0.0, 255.0) as u8
}

impl Ellipse {
    fn holds(&self, x: f64, y: f64) -> bool {
        let Self(_, half_x, half_y, centre_x, centre_y, tilt) = *self;
        let (sin, cos) = tilt.to_radians().sin_cos();
        let (x, y) = (x - centre_x, y - centre_y);
        let (along, across) = (x * cos + y * sin, y * cos - x * sin);
        (along / half_x).powi(2) + (across / half_y).powi(2) <= 1.0
    }
}

/// A zlib stream of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(MAX_STORED).peekable();
    while let Some(block) = blocks.next() {
        // Unwrap safety: a chunk is at most 65,535 bytes long.
        let length = u16::try_from(block.len()).expect("fits a stored block");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(data).to_be_bytes());
    stream
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    // Unwrap safety: the image is 4 MiB.
    let length = u32::try_from(data.len()).expect("far below 4 GiB");
    file.extend(length.to_be_bytes());
    let checked = file.len();
    file.extend(name);
    file.extend(data);
    let sum = crc32(&file[checked..]);
    file.extend(sum.to_be_bytes());
}

/// RFC 1950 section 2.2.
fn adler32(data: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = data.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    (high << 16) | low
}

/// RFC 2083 appendix 15, bit by bit: 4 MiB take a tenth of a second.
fn crc32(data: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let sum = data.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg()))
    });
    !sum
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn check_values_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn the_image_is_a_png_of_a_few_megabytes_with_a_head_in_it() {
        let file = png();
        assert!((4_000_000..5_000_000).contains(&file.len()), "{}", file.len());
        // Outside the head, in the skull, in the brain.
        assert!(pixel(0.95, 0.95, 0) < pixel(0.0, 0.0, 0) && pixel(0.0, 0.0, 0) < pixel(0.0, 0.9, 0));
        // Another implementation of zlib agrees.
        let unpack = "import sys,zlib,struct; d=sys.stdin.buffer.read(); n=struct.unpack('>I',d[33:37])[0]; \
                      assert zlib.crc32(d[37:41+n])==struct.unpack('>I',d[41+n:45+n])[0]; print(len(zlib.decompress(d[41:41+n])))";
        let mut python = Command::new("python3");
        python.args(["-c", unpack]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("python3 is a prerequisite");
        child.stdin.take().expect("piped").write_all(&file).expect("python reads all of it");
        let output = child.wait_with_output().expect("python ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (SIDE * (SIDE + 1)).to_string());
    }
}
