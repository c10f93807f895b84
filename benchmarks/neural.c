/* The printed loop of algorithms/neural/_kernels.py in C (network critic, log-linear policies), the yardstick of its speed.
 *
 * Same arithmetic, same order of draws, same PCG64 stream as numpy's default generator, so that both produce one
 * trajectory up to the order of sums. Compiled by benchmarks/neural_c.py; agents' tables are padded to `width`.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;
typedef struct { u128 state, inc; } pcg64;
typedef struct { int64_t N, S, A, P, m, D, K, M, width; } sizes;
typedef struct { double gamma, alpha, exponent, beta, radius; } rates;

/* numpy/random/src/pcg64: advance, then output the new state with XSL-RR. */
static inline double uniform(pcg64 *rng) {
    const u128 multiplier = ((u128)2549297995355413924ULL << 64) + 4865540595714422341ULL;
    rng->state = rng->state * multiplier + rng->inc;
    const uint64_t word = (uint64_t)(rng->state >> 64) ^ (uint64_t)rng->state;
    const unsigned turn = (unsigned)(rng->state >> 122);
    const uint64_t bits = (word >> turn) | (word << ((-turn) & 63));
    return (double)(bits >> 11) * (1.0 / 9007199254740992.0);
}

static inline int64_t draw(pcg64 *rng, const double *p, int64_t size) {
    const double u = uniform(rng);
    double total = 0.0;
    for (int64_t k = 0; k < size - 1; k++) {
        total += p[k];
        if (u < total) return k;
    }
    return size - 1;
}

/* Probabilities of every agent in s into probs, its action into local; the joint action. */
static int64_t act(pcg64 *rng, sizes z, const int64_t *restrict n_actions, const double *restrict psi,
                   const double *restrict theta, int64_t s, double *restrict probs, int64_t *restrict local) {
    int64_t joint = 0;
    for (int64_t i = 0; i < z.N; i++) {
        const double *rows = psi + (i * z.S + s) * z.width * z.P;
        double *p = probs + i * z.width, top = -INFINITY, total = 0.0;
        for (int64_t a = 0; a < n_actions[i]; a++) {
            double logit = 0.0;
            for (int64_t k = 0; k < z.P; k++) logit += rows[a * z.P + k] * theta[i * z.P + k];
            p[a] = logit;
            top = logit > top ? logit : top;
        }
        for (int64_t a = 0; a < n_actions[i]; a++) {
            p[a] = exp(p[a] - top);
            total += p[a];
        }
        const double inverse = 1.0 / total;
        for (int64_t a = 0; a < n_actions[i]; a++) p[a] *= inverse;
        local[i] = draw(rng, p, n_actions[i]);
        joint = joint * n_actions[i] + local[i];
    }
    return joint;
}

static double value(sizes z, const double *restrict w, const double *restrict first, const double *restrict b,
                    double *restrict layers) {
    const double scale = 1.0 / sqrt((double)z.m);
    memcpy(layers, first, (size_t)z.m * sizeof(double));
    for (int64_t h = 0; h < z.D; h++) {
        for (int64_t i = 0; i < z.m; i++) {
            double total = 0.0;
            for (int64_t j = 0; j < z.m; j++) total += w[(h * z.m + i) * z.m + j] * layers[h * z.m + j];
            layers[(h + 1) * z.m + i] = total <= 0.0 ? 0.0 : total * scale;
        }
    }
    double total = 0.0;
    for (int64_t k = 0; k < z.m; k++) total += b[k] * layers[z.D * z.m + k];
    return total;
}

static void descend(sizes z, double *restrict w, const double *restrict b, const double *restrict layers,
                    double *restrict back, double step) {
    const double scale = 1.0 / sqrt((double)z.m);
    double *here = back, *below = back + z.m;
    memcpy(here, b, (size_t)z.m * sizeof(double));
    for (int64_t h = z.D - 1; h >= 0; h--) {
        for (int64_t j = 0; j < z.m; j++) below[j] = 0.0;
        for (int64_t i = 0; i < z.m; i++) {
            if (!(layers[(h + 1) * z.m + i] > 0.0)) continue;
            double slope = here[i] * scale, *row = w + (h * z.m + i) * z.m;
            if (h > 0)
                for (int64_t j = 0; j < z.m; j++) below[j] += slope * row[j];
            slope *= -step;
            for (int64_t j = 0; j < z.m; j++) row[j] += slope * layers[h * z.m + j];
        }
        memcpy(here, below, (size_t)z.m * sizeof(double));
    }
}

static void project(sizes z, double *restrict w, const double *restrict centre, double radius) {
    const int64_t size = z.m * z.m;
    for (int64_t h = 0; h < z.D; h++) {
        double square = 0.0;
        for (int64_t k = h * size; k < (h + 1) * size; k++) square += (w[k] - centre[k]) * (w[k] - centre[k]);
        if (square > radius * radius) {
            const double shrink = radius / sqrt(square);
            for (int64_t k = h * size; k < (h + 1) * size; k++) w[k] = centre[k] + shrink * (w[k] - centre[k]);
        }
    }
}

/* Successor by the restart kernel, from which data and target both come as printed. */
static int64_t move(pcg64 *rng, sizes z, const double *P, const double *initial, double gamma, int64_t s, int64_t a) {
    int64_t next = draw(rng, P + (s * z.A + a) * z.S, z.S);
    if (uniform(rng) >= gamma) next = draw(rng, initial, z.S);
    return next;
}

/* generator: high and low words of state and increment. Returns 1 if there is no memory, 2 if something is not finite. */
int neural(const uint64_t *generator, const sizes *shape, const rates *rate, const double *P, const double *r,
           const double *initial, const double *psi, const int64_t *n_actions, const double *first,
           const double *centre, const double *b, const double *gossip, int64_t horizon, double *theta, double *W,
           double *direction) {
    const sizes z = *shape;
    const rates q = *rate;
    pcg64 rng = {((u128)generator[0] << 64) + generator[1], ((u128)generator[2] << 64) + generator[3]};
    const int64_t size = z.D * z.m * z.m;
    double *w = malloc((size_t)(2 * z.N * size + (z.D + 3) * z.m + 2 * z.N * z.width + z.N) * sizeof(double));
    int64_t *local = malloc((size_t)(2 * z.N) * sizeof(int64_t));
    if (!w || !local) {
        free(w);
        free(local);
        return 1;
    }
    double *mean = w + z.N * size, *layers = mean + z.N * size, *back = layers + (z.D + 1) * z.m;
    double *probs = back + 2 * z.m, *probs_next = probs + z.N * z.width, *delta = probs_next + z.N * z.width;
    int64_t *local_next = local + z.N;
    int64_t s = draw(&rng, initial, z.S);
    int failed = 0;
    for (int64_t t = 0; t < horizon && !failed; t++) {
        for (int64_t i = 0; i < z.N; i++) {
            memcpy(w + i * size, centre, (size_t)size * sizeof(double));
            memcpy(mean + i * size, centre, (size_t)size * sizeof(double));
        }
        int64_t a = act(&rng, z, n_actions, psi, theta, s, probs, local), last = s;
        for (int64_t k = 0; k < z.K && !failed; k++) {
            last = s;
            const int64_t s_next = move(&rng, z, P, initial, q.gamma, s, a);
            const int64_t a_next = act(&rng, z, n_actions, psi, theta, s_next, probs, local);
            const double old = (k + 1.0) / (k + 2.0), new = 1.0 / (k + 2.0);
            for (int64_t i = 0; i < z.N; i++) {
                double *own = w + i * size, *average = mean + i * size;
                const double after = value(z, own, first + (s_next * z.A + a_next) * z.m, b, layers);
                const double here = value(z, own, first + (s * z.A + a) * z.m, b, layers);
                const double error = here - r[(i * z.S + s) * z.A + a] - q.gamma * after;
                if (!isfinite(error)) failed = 2;
                descend(z, own, b, layers, back, q.beta * error);
                project(z, own, centre, q.radius);
                for (int64_t n = 0; n < size; n++) average[n] = old * average[n] + new * own[n];
            }
            s = s_next;
            a = a_next;
        }
        s = last;
        for (int64_t i = 0; i < z.N; i++) {
            double *restrict out = W + i * size;
            for (int64_t n = 0; n < size; n++) out[n] = gossip[i * z.N] * mean[n];
            for (int64_t j = 1; j < z.N; j++) {
                const double weight = gossip[i * z.N + j];
                for (int64_t n = 0; n < size; n++) out[n] += weight * mean[j * size + n];
            }
        }
        memset(direction, 0, (size_t)(z.N * z.P) * sizeof(double));
        a = act(&rng, z, n_actions, psi, theta, s, probs, local);
        for (int64_t l = 0; l < z.M; l++) {
            const int64_t s_next = move(&rng, z, P, initial, q.gamma, s, a);
            const int64_t a_next = act(&rng, z, n_actions, psi, theta, s_next, probs_next, local_next);
            for (int64_t i = 0; i < z.N; i++) {
                const double here = value(z, W + i * size, first + (s * z.A + a) * z.m, b, layers);
                const double after = value(z, W + i * size, first + (s_next * z.A + a_next) * z.m, b, layers);
                delta[i] = here - r[(i * z.S + s) * z.A + a] - q.gamma * after;
                if (!isfinite(delta[i])) failed = 2;
            }
            for (int64_t i = 0; i < z.N; i++) {
                double mixed = 0.0;
                for (int64_t j = 0; j < z.N; j++) mixed += gossip[i * z.N + j] * delta[j];
                mixed /= z.M;
                const double *rows = psi + (i * z.S + s) * z.width * z.P;
                for (int64_t k = 0; k < z.P; k++) {
                    double centre_of = 0.0;
                    for (int64_t c = 0; c < n_actions[i]; c++) centre_of += probs[i * z.width + c] * rows[c * z.P + k];
                    direction[i * z.P + k] += mixed * (rows[local[i] * z.P + k] - centre_of);
                }
            }
            s = s_next;
            a = a_next;
            memcpy(probs, probs_next, (size_t)(z.N * z.width) * sizeof(double));
            memcpy(local, local_next, (size_t)z.N * sizeof(int64_t));
        }
        const double alpha = q.alpha / pow(t + 1.0, q.exponent);
        for (int64_t i = 0; i < z.N; i++) {
            double top = 0.0, square = 0.0;
            for (int64_t k = 0; k < z.P; k++) top = fmax(top, fabs(direction[i * z.P + k]));
            if (top == 0.0) continue;
            for (int64_t k = 0; k < z.P; k++) {
                const double part = direction[i * z.P + k] / top;
                square += part * part;
            }
            const double norm = top * sqrt(square);
            for (int64_t k = 0; k < z.P; k++) theta[i * z.P + k] += alpha * (direction[i * z.P + k] / norm);
        }
    }
    free(w);
    free(local);
    return failed;
}
