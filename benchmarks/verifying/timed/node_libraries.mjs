// Times one check of an access token in this process: node_libraries.mjs MATERIAL ROUNDS.
// The contestants take turns over the same tokens. Prints JSON: microseconds of CPU time for one check, all threads
// counted, by contestant and round.
import { readFileSync } from 'node:fs'
import { createPublicKey } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import { importJWK, jwtVerify } from 'jose'

const { tokens, jwks, issuer, audience } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const rounds = Number(process.argv[3])
const [jwk] = jwks.keys
const joseKey = await importJWK(jwk, 'ES256')
const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
const fast = { key: pem, algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience, requiredClaims: ['exp', 'iat'] }
const uncached = createVerifier({ ...fast, cache: false })
const cached = createVerifier({ ...fast, cache: 1000 })

const contestants = {
  jose: [async (shown) => {
    for (const token of shown) {
      await jwtVerify(token, joseKey, { issuer, audience, algorithms: ['ES256'], requiredClaims: ['exp', 'iat'] })
    }
  }, 640],
  'fast-jwt': [(shown) => { for (const token of shown) uncached(token) }, 640],
  'fast-jwt cached': [(shown) => { for (const token of shown) cached(token) }, 40000]
}

const figures = {}
for (const [name, [check]] of Object.entries(contestants)) {
  figures[name] = []
  for (let n = 0; n < 10; n++) await check(tokens)
}
for (let round = 0; round < rounds; round++) {
  for (const [name, [check, times]] of Object.entries(contestants)) {
    const shown = Array.from({ length: Math.floor(times / tokens.length) }, () => tokens).flat()
    const before = process.cpuUsage()
    await check(shown)
    const { user, system } = process.cpuUsage(before)
    figures[name].push((user + system) / shown.length)
  }
}
console.log(JSON.stringify(figures))
