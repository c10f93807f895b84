/* The double-sampling CAC loop of algorithms/_cac_kernel.py in C, the yardstick of its speed.
 *
 * Same arithmetic, same order of draws, same PCG64 stream as numpy's default generator, so that both produce
 * one trajectory up to rounding. Compiled by benchmarks/cac_c.py; single agents' tables are padded to `width`.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define METRICS 10 /* the last two are drifts, measured from t to t + 1 */
#define EULER 0.5772156649015329

typedef unsigned __int128 u128;
typedef struct { u128 state, inc; } pcg64;
typedef struct { int64_t N, S, A, D, H, K, L, B, width; } sizes;

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

static inline void draw_tuple(pcg64 *rng, const double *law, const double *tables, const int64_t *n_actions,
                              const double *P, sizes z, int64_t *local, int64_t *s, int64_t *a, int64_t *next) {
    *s = draw(rng, law, z.S);
    *a = 0;
    for (int64_t i = 0; i < z.N; i++) {
        local[i] = draw(rng, tables + (i * z.S + *s) * z.width, n_actions[i]);
        *a = *a * n_actions[i] + local[i];
    }
    *next = draw(rng, P + (*s * z.A + *a) * z.S, z.S);
}

static void policy_tables(const double *restrict psi, const double *restrict theta,
                          const int64_t *restrict n_actions, sizes z, double *restrict tables,
                          double *restrict joint) {
    for (int64_t i = 0; i < z.N; i++) {
        for (int64_t s = 0; s < z.S; s++) {
            double *table = tables + (i * z.S + s) * z.width;
            const double *rows = psi + (i * z.S + s) * z.width * z.D;
            double top = -INFINITY, total = 0.0;
            for (int64_t a = 0; a < n_actions[i]; a++) {
                double logit = 0.0;
                for (int64_t k = 0; k < z.D; k++) logit += rows[a * z.D + k] * theta[i * z.D + k];
                table[a] = logit;
                top = logit > top ? logit : top;
            }
            for (int64_t a = 0; a < n_actions[i]; a++) {
                table[a] = exp(table[a] - top);
                total += table[a];
            }
            const double inverse = 1.0 / total;
            for (int64_t a = 0; a < n_actions[i]; a++) table[a] *= inverse;
        }
    }
    for (int64_t s = 0; s < z.S; s++) {
        double *row = joint + s * z.A;
        int64_t size = 1;
        row[0] = 1.0;
        for (int64_t i = z.N - 1; i >= 0; i--) {
            const double *table = tables + (i * z.S + s) * z.width;
            for (int64_t b = n_actions[i] - 1; b >= 0; b--) {
                const double weight = table[b];
                for (int64_t a = 0; a < size; a++) row[b * size + a] = weight * row[a];
            }
            size *= n_actions[i];
        }
    }
}

static void chain(const double *restrict joint, const double *restrict P, sizes z, double *restrict P_pi) {
    for (int64_t s = 0; s < z.S; s++) {
        for (int64_t t = 0; t < z.S; t++) P_pi[s * z.S + t] = 0.0;
        for (int64_t a = 0; a < z.A; a++) {
            const double weight = joint[s * z.A + a];
            for (int64_t t = 0; t < z.S; t++) P_pi[s * z.S + t] += weight * P[(s * z.A + a) * z.S + t];
        }
    }
}

static void gth(const double *restrict P_pi, int64_t S, double *restrict work, double *restrict law) {
    memcpy(work, P_pi, (size_t)(S * S) * sizeof(double));
    for (int64_t k = S - 1; k > 0; k--) {
        double total = 0.0;
        for (int64_t j = 0; j < k; j++) total += work[k * S + j];
        const double inverse = 1.0 / total;
        for (int64_t i = 0; i < k; i++) {
            const double factor = work[i * S + k] *= inverse;
            for (int64_t j = 0; j < k; j++) work[i * S + j] += factor * work[k * S + j];
        }
    }
    double total = law[0] = 1.0;
    for (int64_t k = 1; k < S; k++) {
        double weight = 0.0;
        for (int64_t i = 0; i < k; i++) weight += law[i] * work[i * S + k];
        law[k] = weight;
        total += weight;
    }
    const double inverse = 1.0 / total;
    for (int64_t k = 0; k < S; k++) law[k] *= inverse;
}

static void solve_in_place(double *restrict matrix, double *restrict rhs, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        double largest = fabs(matrix[k * n + k]);
        for (int64_t i = k + 1; i < n; i++) {
            const double entry = fabs(matrix[i * n + k]);
            if (entry > largest) {
                pivot = i;
                largest = entry;
            }
        }
        if (pivot != k) {
            for (int64_t j = k; j < n; j++) {
                const double held = matrix[k * n + j];
                matrix[k * n + j] = matrix[pivot * n + j];
                matrix[pivot * n + j] = held;
            }
            const double held = rhs[k];
            rhs[k] = rhs[pivot];
            rhs[pivot] = held;
        }
        const double inverse = matrix[k * n + k] = 1.0 / matrix[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            const double factor = matrix[i * n + k] * inverse;
            for (int64_t j = k + 1; j < n; j++) matrix[i * n + j] -= factor * matrix[k * n + j];
            rhs[i] -= factor * rhs[k];
        }
    }
    for (int64_t k = n - 1; k >= 0; k--) {
        double value = rhs[k];
        for (int64_t j = k + 1; j < n; j++) value -= matrix[k * n + j] * rhs[j];
        rhs[k] = value * matrix[k * n + k];
    }
}

static void visitation(const double *restrict P_pi, const double *restrict initial, double gamma, int64_t S,
                       double *restrict work, double *restrict law) {
    for (int64_t s = 0; s < S; s++) {
        law[s] = (1.0 - gamma) * initial[s];
        for (int64_t t = 0; t < S; t++) work[s * S + t] = -gamma * P_pi[t * S + s];
        work[s * S + s] += 1.0;
    }
    for (int64_t k = S - 1; k > 0; k--) {
        const double inverse = 1.0 / work[k * S + k];
        for (int64_t i = 0; i < k; i++) {
            const double factor = work[i * S + k] * inverse;
            for (int64_t j = 0; j < k; j++) work[i * S + j] -= factor * work[k * S + j];
            law[i] -= factor * law[k];
        }
    }
    for (int64_t k = 0; k < S; k++) {
        double value = law[k];
        for (int64_t j = 0; j < k; j++) value -= work[k * S + j] * law[j];
        law[k] = value / work[k * S + k];
    }
}

static void mix(const double *restrict W, const double *restrict values, int64_t N, int64_t D, int64_t columns,
                double *restrict out) {
    for (int64_t i = 0; i < N; i++) {
        for (int64_t k = 0; k < columns; k++) {
            double total = 0.0;
            for (int64_t j = 0; j < N; j++) total += W[i * N + j] * values[j * D + k];
            out[i * D + k] = total;
        }
        for (int64_t k = columns; k < D; k++) out[i * D + k] = values[i * D + k];
    }
}

static inline void project(double *row, int64_t size, double radius) {
    double square = 0.0;
    for (int64_t k = 0; k < size; k++) square += row[k] * row[k];
    if (square > radius * radius) {
        const double scale = radius / sqrt(square);
        for (int64_t k = 0; k < size; k++) row[k] *= scale;
    }
}

static double spread(const double *restrict values, const double *restrict target, int64_t N, int64_t D) {
    double total = 0.0;
    for (int64_t i = 0; i < N; i++)
        for (int64_t k = 0; k < D; k++) {
            const double gap = values[i * D + k] - target[k];
            total += gap * gap;
        }
    return total;
}

/* omegas: the three omega* (3, K); lam: lambda*; grams: scratch of 3 K K + L L + 2 K + S doubles. */
static void lower_level(const double *restrict P, const double *restrict P_pi, const double *restrict r_bar,
                        double gamma, const double *restrict phi, const double *restrict varphi,
                        const double *restrict joint, const double *restrict mu, sizes z,
                        double *restrict omegas, double *restrict lam, double *restrict grams) {
    const int64_t S = z.S, A = z.A, K = z.K, L = z.L;
    double *restrict td = grams, *restrict bellman = td + K * K, *restrict squared = bellman + K * K;
    double *restrict gram = squared + K * K, *restrict step = gram + L * L;
    double *restrict move = step + K, *restrict earned = move + K;
    memset(grams, 0, (size_t)(3 * K * K + L * L) * sizeof(double));
    memset(omegas, 0, (size_t)(3 * K) * sizeof(double));
    memset(lam, 0, (size_t)L * sizeof(double));
    for (int64_t s = 0; s < S; s++) {
        double r_pi = 0.0;
        for (int64_t k = 0; k < K; k++) step[k] = phi[s * K + k];
        for (int64_t t = 0; t < S; t++)
            for (int64_t k = 0; k < K; k++) step[k] -= gamma * P_pi[s * S + t] * phi[t * K + k];
        for (int64_t a = 0; a < A; a++) {
            const double reward = r_bar[s * A + a], pair = mu[s] * joint[s * A + a];
            const double *features = varphi + (s * A + a) * L;
            r_pi += joint[s * A + a] * reward;
            for (int64_t p = 0; p < L; p++) {
                const double left = pair * features[p];
                lam[p] += left * reward;
                for (int64_t q = 0; q < L; q++) gram[p * L + q] += left * features[q];
            }
        }
        for (int64_t t = 0; t < S; t++) {
            double total = 0.0;
            for (int64_t a = 0; a < A; a++)
                total += joint[s * A + a] * r_bar[s * A + a] * P[(s * A + a) * S + t];
            earned[t] = mu[s] * total;
        }
        for (int64_t t = 0; t < S; t++) {
            const double weight = mu[s] * P_pi[s * S + t];
            for (int64_t k = 0; k < K; k++) move[k] = phi[s * K + k] - gamma * phi[t * K + k];
            for (int64_t p = 0; p < K; p++) {
                const double left = weight * move[p];
                omegas[2 * K + p] += earned[t] * move[p];
                for (int64_t q = 0; q < K; q++) squared[p * K + q] += left * move[q];
            }
        }
        for (int64_t p = 0; p < K; p++) {
            const double left = mu[s] * phi[s * K + p], right = mu[s] * step[p];
            omegas[p] += left * r_pi;
            omegas[K + p] += right * r_pi;
            for (int64_t q = 0; q < K; q++) {
                td[p * K + q] += left * step[q];
                bellman[p * K + q] += right * step[q];
            }
        }
    }
    solve_in_place(td, omegas, K);
    solve_in_place(bellman, omegas + K, K);
    solve_in_place(squared, omegas + 2 * K, K);
    solve_in_place(gram, lam, L);
}

/* omega_td alone, as in lower_level; scratch: K K + K doubles. */
static void td_target(const double *restrict P_pi, const double *restrict r_bar, double gamma,
                      const double *restrict phi, const double *restrict joint, const double *restrict mu, sizes z,
                      double *restrict omega, double *restrict scratch) {
    const int64_t S = z.S, A = z.A, K = z.K;
    double *restrict td = scratch, *restrict step = td + K * K;
    memset(td, 0, (size_t)(K * K) * sizeof(double));
    memset(omega, 0, (size_t)K * sizeof(double));
    for (int64_t s = 0; s < S; s++) {
        double r_pi = 0.0;
        for (int64_t a = 0; a < A; a++) r_pi += joint[s * A + a] * r_bar[s * A + a];
        for (int64_t k = 0; k < K; k++) step[k] = phi[s * K + k];
        for (int64_t t = 0; t < S; t++)
            for (int64_t k = 0; k < K; k++) step[k] -= gamma * P_pi[s * S + t] * phi[t * K + k];
        for (int64_t p = 0; p < K; p++) {
            const double left = mu[s] * phi[s * K + p];
            omega[p] += left * r_pi;
            for (int64_t q = 0; q < K; q++) td[p * K + q] += left * step[q];
        }
    }
    solve_in_place(td, omega, K);
}

/* grad J of every agent; returns J. scratch: S S + S + width N doubles. */
static double gradient_of(const double *restrict P, const double *restrict P_pi, const double *restrict r_bar,
                          double gamma, const double *restrict initial, const double *restrict psi,
                          const int64_t *restrict n_actions, const int64_t *restrict local_of,
                          const double *restrict tables, const double *restrict joint,
                          const double *restrict d, sizes z, double *restrict gradient,
                          double *restrict scratch) {
    const int64_t N = z.N, S = z.S, A = z.A, D = z.D, width = z.width;
    double *restrict system = scratch, *restrict V = system + S * S, *restrict marginal = V + S;
    for (int64_t s = 0; s < S; s++) {
        V[s] = 0.0;
        for (int64_t a = 0; a < A; a++) V[s] += joint[s * A + a] * r_bar[s * A + a];
        for (int64_t t = 0; t < S; t++) system[s * S + t] = -gamma * P_pi[s * S + t];
        system[s * S + s] += 1.0;
    }
    solve_in_place(system, V, S);
    memset(gradient, 0, (size_t)(N * D) * sizeof(double));
    for (int64_t s = 0; s < S; s++) {
        memset(marginal, 0, (size_t)(N * width) * sizeof(double));
        const double scale = d[s] / (1.0 - gamma);
        for (int64_t a = 0; a < A; a++) {
            double following = 0.0;
            for (int64_t t = 0; t < S; t++) following += P[(s * A + a) * S + t] * V[t];
            const double advantage = r_bar[s * A + a] + gamma * following - V[s];
            const double weight = scale * joint[s * A + a] * advantage;
            for (int64_t i = 0; i < N; i++) marginal[i * width + local_of[i * A + a]] += weight;
        }
        for (int64_t i = 0; i < N; i++) {
            const double *table = tables + (i * S + s) * width, *rows = psi + (i * S + s) * width * D;
            for (int64_t k = 0; k < D; k++) {
                double mean = 0.0;
                for (int64_t b = 0; b < n_actions[i]; b++) mean += table[b] * rows[b * D + k];
                for (int64_t b = 0; b < n_actions[i]; b++)
                    gradient[i * D + k] += marginal[i * width + b] * (rows[b * D + k] - mean);
            }
        }
    }
    double J = 0.0;
    for (int64_t s = 0; s < S; s++) J += initial[s] * V[s];
    return J;
}

static void policy_metrics(const double *restrict theta, const double *restrict gradient, sizes z,
                           double *restrict now) {
    now[4] = now[5] = now[6] = 0.0;
    for (int64_t k = 0; k < z.D; k++) {
        double centre = 0.0, slope = 0.0, squares = 0.0;
        for (int64_t i = 0; i < z.N; i++) {
            const double g = gradient[i * z.D + k];
            centre += theta[i * z.D + k] / (double)z.N;
            slope += g / (double)z.N;
            squares += g * g;
        }
        if (k < z.H) {
            for (int64_t i = 0; i < z.N; i++) {
                const double gap = theta[i * z.D + k] - centre;
                now[4] += gap * gap;
            }
            now[5] += (double)z.N * slope * slope;
        } else {
            now[6] += squares;
        }
    }
}

/* Arguments as `_cac`, with the generator's 128-bit state and increment as (high, low) words, updated in place.
 * Returns 0, or 1 if scratch memory cannot be had. */
int cac(uint64_t *generator, const int64_t *shape, const double *P, const double *r, const double *r_bar,
        const double *initial, double gamma, int noisy, const double *psi, const int64_t *n_actions,
        const int64_t *local_of, const double *phi, const double *varphi, const double *W, double alpha,
        double beta, double zeta, double radius_omega, double radius_lambda, double *theta, double *omega,
        double *lam, const int64_t *checkpoints, int64_t metric_every, double *averages, double *instants) {
    const sizes z = {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5], shape[6], shape[7], shape[8]};
    const int64_t N = z.N, S = z.S, A = z.A, D = z.D, K = z.K, L = z.L, width = z.width;
    pcg64 rng = {((u128)generator[0] << 64) + generator[1], ((u128)generator[2] << 64) + generator[3]};
    const int64_t doubles = N * S * width + S * A + 2 * S * S + 2 * S + N * (D + K + L) + N * D + 3 * K + L
                            + 3 * K * K + L * L + 2 * K + S + S * S + S + N * width + 2 * K;
    double *const memory = calloc((size_t)doubles, sizeof(double));
    int64_t *const local = calloc((size_t)N, sizeof(int64_t));
    if (!memory || !local) {
        free(memory);
        free(local);
        return 1;
    }
    double *tables = memory, *joint = tables + N * S * width, *P_pi = joint + S * A, *work = P_pi + S * S;
    double *mu = work + S * S, *d = mu + S, *next_theta = d + S, *next_omega = next_theta + N * D;
    double *next_lam = next_omega + N * K, *gradient = next_lam + N * L, *omegas = gradient + N * D;
    double *lam_star = omegas + 3 * K, *grams = lam_star + L, *scratch = grams + 3 * K * K + L * L + 2 * K + S;
    double *step = scratch + S * S + S + N * width, *moved = step + K;
    double sums[METRICS] = {0.0}, now[METRICS] = {0.0};
    int64_t measured = 0, row = 0, phase = 0, s, a, next;
    int64_t next_measure = metric_every / 2 < checkpoints[0] - 1 ? metric_every / 2 : checkpoints[0] - 1;
    policy_tables(psi, theta, n_actions, z, tables, joint);
    chain(joint, P, z, P_pi);
    gth(P_pi, S, work, mu);
    for (int64_t t = 0;; t++) {
        visitation(P_pi, initial, gamma, S, work, d);
        const int measure = t == next_measure;
        if (measure) {
            next_measure += metric_every;
            lower_level(P, P_pi, r_bar, gamma, phi, varphi, joint, mu, z, omegas, lam_star, grams);
            now[7] = gradient_of(P, P_pi, r_bar, gamma, initial, psi, n_actions, local_of, tables, joint, d, z,
                                 gradient, scratch);
            for (int64_t k = 0; k < 3; k++) now[k] = spread(omega, omegas + k * K, N, K);
            now[3] = spread(lam, lam_star, N, L);
            policy_metrics(theta, gradient, z, now);
        }
        draw_tuple(&rng, mu, tables, n_actions, P, z, local, &s, &a, &next);
        const double *weights = W + phase * N * N;
        phase = phase + 1 < z.B ? phase + 1 : 0;
        mix(weights, omega, N, K, K, next_omega);
        mix(weights, lam, N, L, L, next_lam);
        mix(weights, theta, N, D, z.H, next_theta);
        const double *features = varphi + (s * A + a) * L;
        for (int64_t k = 0; k < K; k++) step[k] = gamma * phi[next * K + k] - phi[s * K + k];
        for (int64_t i = 0; i < N; i++) {
            double reward = r[(i * S + s) * A + a];
            if (noisy) reward += -log(-log(1.0 - uniform(&rng))) - EULER;
            double delta = reward, error = reward;
            for (int64_t k = 0; k < K; k++) delta += step[k] * omega[i * K + k];
            delta *= beta;
            for (int64_t k = 0; k < K; k++) next_omega[i * K + k] += delta * phi[s * K + k];
            project(next_omega + i * K, K, radius_omega);
            for (int64_t k = 0; k < L; k++) error -= features[k] * lam[i * L + k];
            error *= zeta;
            for (int64_t k = 0; k < L; k++) next_lam[i * L + k] += error * features[k];
            project(next_lam + i * L, L, radius_lambda);
        }
        draw_tuple(&rng, d, tables, n_actions, P, z, local, &s, &a, &next);
        features = varphi + (s * A + a) * L;
        for (int64_t k = 0; k < K; k++) step[k] = gamma * phi[next * K + k] - phi[s * K + k];
        for (int64_t i = 0; i < N; i++) {
            const double *table = tables + (i * S + s) * width, *rows = psi + (i * S + s) * width * D;
            double delta = 0.0;
            for (int64_t k = 0; k < L; k++) delta += features[k] * lam[i * L + k];
            for (int64_t k = 0; k < K; k++) delta += step[k] * omega[i * K + k];
            delta *= alpha;
            for (int64_t k = 0; k < D; k++) {
                double mean = 0.0;
                for (int64_t b = 0; b < n_actions[i]; b++) mean += table[b] * rows[b * D + k];
                next_theta[i * D + k] += delta * (rows[local[i] * D + k] - mean);
            }
        }
        if (measure) {
            now[9] = 0.0;
            for (int64_t k = 0; k < N * D; k++) now[9] += (next_theta[k] - theta[k]) * (next_theta[k] - theta[k]);
        }
        memcpy(theta, next_theta, (size_t)(N * D) * sizeof(double));
        memcpy(omega, next_omega, (size_t)(N * K) * sizeof(double));
        memcpy(lam, next_lam, (size_t)(N * L) * sizeof(double));
        policy_tables(psi, theta, n_actions, z, tables, joint); /* of t + 1 */
        chain(joint, P, z, P_pi);
        gth(P_pi, S, work, mu);
        if (measure) {
            td_target(P_pi, r_bar, gamma, phi, joint, mu, z, moved, grams);
            now[8] = spread(moved, omegas, 1, K);
            for (int64_t k = 0; k < METRICS; k++) sums[k] += now[k];
            measured++;
        }
        if (t + 1 == checkpoints[row]) {
            for (int64_t k = 0; k < METRICS; k++) {
                averages[row * METRICS + k] = sums[k] / (double)measured;
                instants[row * METRICS + k] = now[k];
            }
            row++;
            if (checkpoints[row] < 0) break; /* the list ends with -1 */
        }
    }
    generator[0] = (uint64_t)(rng.state >> 64);
    generator[1] = (uint64_t)rng.state;
    free(memory);
    free(local);
    return 0;
}
