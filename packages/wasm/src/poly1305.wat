;; Poly1305 (RFC 8439 section 2.5). A number is five limbs of 26 bits in 64-bit integers, lowest first. A column of a
;; product is at most five products of 2^27 and 5 * 2^26, less than 2^59. No branch and no address depends on a secret.
;;
;; Memory: the key at 0 (r at 0, s at 16), h at 32 (five 64-bit integers), the tag at 72, data from 128.
(module
  (memory (export "memory") 1)

  ;; h = 0. Each call of blocks splits and clamps r.
  (func (export "start")
    (memory.fill (i32.const 32) (i32.const 0) (i32.const 40)))

  ;; Adds the blocks of 16 bytes from $at to $end. $highBit is the bit above each block in the highest limb: 2^24, or 0
  ;; for a partial last block, which contains the bit itself.
  (func (export "blocks") (param $at i32) (param $end i32) (param $highBit i32)
    (local $low i64) (local $high i64) (local $bit i64) (local $carry i64)
    (local $r0 i64) (local $r1 i64) (local $r2 i64) (local $r3 i64) (local $r4 i64)
    (local $s1 i64) (local $s2 i64) (local $s3 i64) (local $s4 i64)
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64) (local $h4 i64)
    (local $d0 i64) (local $d1 i64) (local $d2 i64) (local $d3 i64) (local $d4 i64)
    ;; clamp r (section 2.5)
    (local.set $low (i64.and (i64.load (i32.const 0)) (i64.const 0x0ffffffc0fffffff)))
    (local.set $high (i64.and (i64.load (i32.const 8)) (i64.const 0x0ffffffc0ffffffc)))
    (local.set $r0 (i64.and (local.get $low) (i64.const 0x3ffffff)))
    (local.set $r1 (i64.and (i64.shr_u (local.get $low) (i64.const 26)) (i64.const 0x3ffffff)))
    (local.set $r2 (i64.and (i64.or (i64.shr_u (local.get $low) (i64.const 52)) (i64.shl (local.get $high) (i64.const 12))) (i64.const 0x3ffffff)))
    (local.set $r3 (i64.and (i64.shr_u (local.get $high) (i64.const 14)) (i64.const 0x3ffffff)))
    (local.set $r4 (i64.shr_u (local.get $high) (i64.const 40)))
    ;; 2^130 = 5 modulo the prime, so bits above 2^130 are multiplied by 5 and added
    (local.set $s1 (i64.mul (local.get $r1) (i64.const 5)))
    (local.set $s2 (i64.mul (local.get $r2) (i64.const 5)))
    (local.set $s3 (i64.mul (local.get $r3) (i64.const 5)))
    (local.set $s4 (i64.mul (local.get $r4) (i64.const 5)))
    (local.set $h0 (i64.load (i32.const 32)))
    (local.set $h1 (i64.load (i32.const 40)))
    (local.set $h2 (i64.load (i32.const 48)))
    (local.set $h3 (i64.load (i32.const 56)))
    (local.set $h4 (i64.load (i32.const 64)))
    (local.set $bit (i64.extend_i32_u (local.get $highBit)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        ;; h += block
        (local.set $low (i64.load (local.get $at)))
        (local.set $high (i64.load offset=8 (local.get $at)))
        (local.set $h0 (i64.add (local.get $h0) (i64.and (local.get $low) (i64.const 0x3ffffff))))
        (local.set $h1 (i64.add (local.get $h1) (i64.and (i64.shr_u (local.get $low) (i64.const 26)) (i64.const 0x3ffffff))))
        (local.set $h2 (i64.add (local.get $h2) (i64.and (i64.or (i64.shr_u (local.get $low) (i64.const 52)) (i64.shl (local.get $high) (i64.const 12))) (i64.const 0x3ffffff))))
        (local.set $h3 (i64.add (local.get $h3) (i64.and (i64.shr_u (local.get $high) (i64.const 14)) (i64.const 0x3ffffff))))
        (local.set $h4 (i64.add (local.get $h4) (i64.or (i64.shr_u (local.get $high) (i64.const 40)) (local.get $bit))))
        ;; h *= r: the columns
        (local.set $d0 (i64.add (i64.add (i64.mul (local.get $h0) (local.get $r0)) (i64.mul (local.get $h1) (local.get $s4))) (i64.add (i64.add (i64.mul (local.get $h2) (local.get $s3)) (i64.mul (local.get $h3) (local.get $s2))) (i64.mul (local.get $h4) (local.get $s1)))))
        (local.set $d1 (i64.add (i64.add (i64.mul (local.get $h0) (local.get $r1)) (i64.mul (local.get $h1) (local.get $r0))) (i64.add (i64.add (i64.mul (local.get $h2) (local.get $s4)) (i64.mul (local.get $h3) (local.get $s3))) (i64.mul (local.get $h4) (local.get $s2)))))
        (local.set $d2 (i64.add (i64.add (i64.mul (local.get $h0) (local.get $r2)) (i64.mul (local.get $h1) (local.get $r1))) (i64.add (i64.add (i64.mul (local.get $h2) (local.get $r0)) (i64.mul (local.get $h3) (local.get $s4))) (i64.mul (local.get $h4) (local.get $s3)))))
        (local.set $d3 (i64.add (i64.add (i64.mul (local.get $h0) (local.get $r3)) (i64.mul (local.get $h1) (local.get $r2))) (i64.add (i64.add (i64.mul (local.get $h2) (local.get $r1)) (i64.mul (local.get $h3) (local.get $r0))) (i64.mul (local.get $h4) (local.get $s4)))))
        (local.set $d4 (i64.add (i64.add (i64.mul (local.get $h0) (local.get $r4)) (i64.mul (local.get $h1) (local.get $r3))) (i64.add (i64.add (i64.mul (local.get $h2) (local.get $r2)) (i64.mul (local.get $h3) (local.get $r1))) (i64.mul (local.get $h4) (local.get $r0)))))
        ;; the carries
        (local.set $d1 (i64.add (local.get $d1) (i64.shr_u (local.get $d0) (i64.const 26))))
        (local.set $d2 (i64.add (local.get $d2) (i64.shr_u (local.get $d1) (i64.const 26))))
        (local.set $d3 (i64.add (local.get $d3) (i64.shr_u (local.get $d2) (i64.const 26))))
        (local.set $d4 (i64.add (local.get $d4) (i64.shr_u (local.get $d3) (i64.const 26))))
        (local.set $d0 (i64.add (i64.and (local.get $d0) (i64.const 0x3ffffff)) (i64.mul (i64.shr_u (local.get $d4) (i64.const 26)) (i64.const 5))))
        (local.set $h0 (i64.and (local.get $d0) (i64.const 0x3ffffff)))
        (local.set $h1 (i64.add (i64.and (local.get $d1) (i64.const 0x3ffffff)) (i64.shr_u (local.get $d0) (i64.const 26))))
        (local.set $h2 (i64.and (local.get $d2) (i64.const 0x3ffffff)))
        (local.set $h3 (i64.and (local.get $d3) (i64.const 0x3ffffff)))
        (local.set $h4 (i64.and (local.get $d4) (i64.const 0x3ffffff)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (i64.store (i32.const 32) (local.get $h0))
    (i64.store (i32.const 40) (local.get $h1))
    (i64.store (i32.const 48) (local.get $h2))
    (i64.store (i32.const 56) (local.get $h3))
    (i64.store (i32.const 64) (local.get $h4)))

  ;; tag = (h modulo 2^130 - 5) + s, modulo 2^128
  (func (export "finish")
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64) (local $h4 i64)
    (local $g0 i64) (local $g1 i64) (local $g2 i64) (local $g3 i64) (local $g4 i64)
    (local $low i64) (local $high i64) (local $take i64)
    (local.set $h0 (i64.load (i32.const 32)))
    (local.set $h1 (i64.load (i32.const 40)))
    ;; carry: each limb below 2^26, bits above 2^130 added at the bottom
    (local.set $h2 (i64.add (i64.load (i32.const 48)) (i64.shr_u (local.get $h1) (i64.const 26))))
    (local.set $h3 (i64.add (i64.load (i32.const 56)) (i64.shr_u (local.get $h2) (i64.const 26))))
    (local.set $h4 (i64.add (i64.load (i32.const 64)) (i64.shr_u (local.get $h3) (i64.const 26))))
    (local.set $h0 (i64.add (local.get $h0) (i64.mul (i64.shr_u (local.get $h4) (i64.const 26)) (i64.const 5))))
    (local.set $h1 (i64.add (i64.and (local.get $h1) (i64.const 0x3ffffff)) (i64.shr_u (local.get $h0) (i64.const 26))))
    (local.set $h0 (i64.and (local.get $h0) (i64.const 0x3ffffff)))
    ;; carry again, because the addition at the bottom may carry up to the top; g handles 2^130 and more
    (local.set $h2 (i64.add (i64.and (local.get $h2) (i64.const 0x3ffffff)) (i64.shr_u (local.get $h1) (i64.const 26))))
    (local.set $h3 (i64.add (i64.and (local.get $h3) (i64.const 0x3ffffff)) (i64.shr_u (local.get $h2) (i64.const 26))))
    (local.set $h4 (i64.add (i64.and (local.get $h4) (i64.const 0x3ffffff)) (i64.shr_u (local.get $h3) (i64.const 26))))
    (local.set $h1 (i64.and (local.get $h1) (i64.const 0x3ffffff)))
    (local.set $h2 (i64.and (local.get $h2) (i64.const 0x3ffffff)))
    (local.set $h3 (i64.and (local.get $h3) (i64.const 0x3ffffff)))
    ;; g = h + 5 - 2^130, which is negative if h is below the prime
    (local.set $g0 (i64.add (local.get $h0) (i64.const 5)))
    (local.set $g1 (i64.add (local.get $h1) (i64.shr_u (local.get $g0) (i64.const 26))))
    (local.set $g2 (i64.add (local.get $h2) (i64.shr_u (local.get $g1) (i64.const 26))))
    (local.set $g3 (i64.add (local.get $h3) (i64.shr_u (local.get $g2) (i64.const 26))))
    (local.set $g4 (i64.sub (i64.add (local.get $h4) (i64.shr_u (local.get $g3) (i64.const 26))) (i64.const 0x4000000)))
    ;; mask: all ones selects g, zero selects h
    (local.set $take (i64.sub (i64.shr_u (local.get $g4) (i64.const 63)) (i64.const 1)))
    (local.set $h0 (i64.or (i64.and (local.get $h0) (i64.xor (local.get $take) (i64.const -1))) (i64.and (i64.and (local.get $g0) (i64.const 0x3ffffff)) (local.get $take))))
    (local.set $h1 (i64.or (i64.and (local.get $h1) (i64.xor (local.get $take) (i64.const -1))) (i64.and (i64.and (local.get $g1) (i64.const 0x3ffffff)) (local.get $take))))
    (local.set $h2 (i64.or (i64.and (local.get $h2) (i64.xor (local.get $take) (i64.const -1))) (i64.and (i64.and (local.get $g2) (i64.const 0x3ffffff)) (local.get $take))))
    (local.set $h3 (i64.or (i64.and (local.get $h3) (i64.xor (local.get $take) (i64.const -1))) (i64.and (i64.and (local.get $g3) (i64.const 0x3ffffff)) (local.get $take))))
    (local.set $h4 (i64.or (i64.and (local.get $h4) (i64.xor (local.get $take) (i64.const -1))) (i64.and (local.get $g4) (local.get $take))))
    (local.set $low (i64.or (i64.or (local.get $h0) (i64.shl (local.get $h1) (i64.const 26))) (i64.shl (local.get $h2) (i64.const 52))))
    (local.set $high (i64.or (i64.or (i64.shr_u (local.get $h2) (i64.const 12)) (i64.shl (local.get $h3) (i64.const 14))) (i64.shl (local.get $h4) (i64.const 40))))
    (i64.store (i32.const 72) (i64.add (local.get $low) (i64.load (i32.const 16))))
    (i64.store (i32.const 80) (i64.add (i64.add (local.get $high) (i64.load (i32.const 24)))
      (i64.extend_i32_u (i64.lt_u (i64.load (i32.const 72)) (local.get $low))))))
)
