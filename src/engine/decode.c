/* decode.c - see decode.h. */
#include "engine/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double seen_evidence = 0.3;  /* least probability of a choice's start and end to report where it was read */
static const double least_inside = 1e-3;
static const double least_evidence = 0.01; /* for a cell of a table; less is none */

void findings_free(struct findings *findings)
{
    free(findings->at);
    *findings = (struct findings){0};
}

bool findings_add(struct findings *f, const struct finding *finding)
{
    if (f->count == f->room) {
        size_t room = f->room ? 2 * f->room : 64;
        struct finding *at = realloc(f->at, room * sizeof *at);
        if (!at)
            return false;
        f->at = at;
        f->room = room;
    }
    f->at[f->count++] = *finding;
    return true;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double log_sigmoid(double x)
{
    return x > 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

static double log_sum(const float *values, size_t n)
{
    double most = values[0], sum = 0;
    for (size_t i = 0; i < n; i++)
        most = values[i] > most ? values[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp(values[i] - most);
    return most + log(sum);
}

/* One field's scores in one window. */
struct view {
    const float *start, *end, *inside;
    const float *null;
    const uint32_t *ends; /* of the window's pieces, as document pieces */
    size_t tokens, at;
    uint32_t ask;
};

static struct view view_of(const struct pass *pass, const struct window *window, const struct scores *s, size_t field, size_t at,
                           const uint32_t *ends)
{
    const float *rows = s->span + 3 * field * s->stride;
    return (struct view){rows, rows + s->stride, rows + 2 * s->stride, s->null + 2 * field, ends + at, window->tokens, at,
                         (uint32_t)pass->asks[field]};
}

/* The window's piece behind the last one a span from `first` may reach, of `longest` pieces at most. */
static size_t span_stop(const struct view *v, size_t first, size_t longest)
{
    size_t stop = v->tokens < first + longest ? v->tokens : first + longest, end = v->ends[first] - v->at;
    return end < stop ? end : stop;
}

/* The pieces with the highest start scores, highest first; the earlier of equals. Returns how many. */
static size_t best_starts(const struct view *v, size_t wanted, size_t *starts)
{
    size_t count = 0;
    for (size_t t = 0; t < v->tokens; t++) {
        if (count == wanted && v->start[t] <= v->start[starts[count - 1]])
            continue;
        size_t place = count < wanted ? count++ : count - 1;
        while (place > 0 && v->start[starts[place - 1]] < v->start[t]) {
            starts[place] = starts[place - 1];
            place--;
        }
        starts[place] = t;
    }
    return count;
}

struct span { double score; size_t last; };

/* The best end for a span that starts at `first`. Scores are end logits + weighted inside, without the constants. */
static struct span best_end(const struct model *m, const struct view *v, size_t first)
{
    size_t stop = span_stop(v, first, m->max_span);
    double inside = 0;
    struct span best = {-HUGE_VAL, first};
    for (size_t last = first; last < stop; last++) {
        inside += log_sigmoid(v->inside[last]);
        double score = v->end[last] + m->inside_weight * inside;
        if (score > best.score)
            best = (struct span){score, last};
    }
    return best;
}

/* The softmaxes' denominators cancel in the margin over null, so logits are compared directly. Spans that do not beat null
 * are of no use but the best, which says how sure the null is. */
static bool decode_scalar(const struct model *m, const struct view *v, struct findings *out)
{
    size_t starts[64], count = best_starts(v, m->top_starts, starts), kept = out->count;
    for (size_t i = 0; i < count; i++) {
        struct span span = best_end(m, v, starts[i]);
        double margin = v->start[starts[i]] + span.score - v->null[0] - v->null[1];
        struct finding f = {.ask = v->ask, .kind = FINDING_SPAN, .first = (uint32_t)(v->at + starts[i]),
                            .last = (uint32_t)(v->at + span.last), .score = (float)margin};
        bool first = out->count == kept;
        if (!first && margin <= m->null_bias && out->at[kept].score >= f.score)
            continue;
        if (!first && out->at[kept].score <= m->null_bias)
            out->at[kept] = f;
        else if (!findings_add(out, &f))
            return false;
    }
    return true;
}

static bool decode_list(const struct model *m, const struct view *v, struct findings *out)
{
    double floor = log(m->list_candidate / (1 - m->list_candidate)); /* the candidate probability as a logit */
    for (size_t first = 0; first < v->tokens; first++) {
        if (v->start[first] <= floor)
            continue;
        double start = sigmoid(v->start[first]), least = HUGE_VAL;
        size_t stop = span_stop(v, first, m->max_span + 1);
        for (size_t last = first; last < stop; last++) {
            least = v->inside[last] < least ? v->inside[last] : least;
            if (v->end[last] <= floor)
                continue;
            double inside = sigmoid(least), product = start * sigmoid(v->end[last]) * (inside > least_inside ? inside : least_inside);
            double score = cbrt(product);
            struct finding f = {.ask = v->ask, .kind = score > m->list_threshold ? FINDING_ITEM : FINDING_NEAR,
                                .first = (uint32_t)(v->at + first), .last = (uint32_t)(v->at + last), .score = (float)score};
            if (score > m->list_candidate && !findings_add(out, &f))
                return false;
        }
    }
    return true;
}

static double most_of(const float *values, size_t first, size_t last)
{
    float most = values[first];
    for (size_t t = first + 1; t <= last; t++)
        most = values[t] > most ? values[t] : most;
    return sigmoid(most);
}

/* A member's evidence for every cell that stands in the window. */
static bool decode_cells(const struct view *v, const struct grid *grid, struct findings *out)
{
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_cell *cell = &grid->cells[i];
        if (cell->first < v->at || cell->last >= v->at + v->tokens)
            continue;
        size_t first = cell->first - v->at, last = cell->last - v->at;
        double seen = cbrt(most_of(v->start, first, last) * most_of(v->end, first, last) * most_of(v->inside, first, last));
        struct finding f = {.ask = v->ask, .kind = FINDING_CELL, .first = cell->first, .last = cell->last,
                            .option = (uint32_t)i, .score = (float)seen};
        if (seen > least_evidence && !findings_add(out, &f))
            return false;
    }
    return true;
}

static bool decode_starts(const struct model *m, const struct view *v, struct findings *out)
{
    for (size_t t = 0; t < v->tokens; t++) {
        struct finding f = {.ask = v->ask, .kind = FINDING_START, .first = (uint32_t)(v->at + t), .last = (uint32_t)(v->at + t),
                            .score = (float)sigmoid(v->start[t])};
        if (f.score > m->record_start && !findings_add(out, &f))
            return false;
    }
    return true;
}

/* Where the choice was read: the best span by start, end and inside alone, reported when both its ends stand out. */
static bool find_evidence(const struct model *m, const struct view *v, size_t *first, size_t *last)
{
    size_t starts[64], count = best_starts(v, m->top_starts, starts);
    struct span best = {-HUGE_VAL, 0};
    for (size_t i = 0; i < count; i++) {
        struct span span = best_end(m, v, starts[i]);
        span.score += v->start[starts[i]];
        if (span.score > best.score) {
            best = span;
            *first = starts[i];
        }
    }
    *last = best.last;
    return count > 0 && exp(v->start[*first] - log_sum(v->start, v->tokens)) > seen_evidence &&
           exp(v->end[*last] - log_sum(v->end, v->tokens)) > seen_evidence;
}

static bool decode_choice(const struct model *m, const struct view *v, const float *options, size_t count, struct findings *out)
{
    struct finding f = {.ask = v->ask, .kind = FINDING_OPTION, .first = 1};
    for (size_t i = 1; i < count; i++)
        f.option = options[i] > options[f.option] ? (uint32_t)i : f.option;
    f.score = options[f.option] - v->null[0];
    size_t first = 0, last = 0;
    if (find_evidence(m, v, &first, &last)) {
        f.first = (uint32_t)(v->at + first);
        f.last = (uint32_t)(v->at + last);
    }
    return findings_add(out, &f);
}

static int better(const void *left, const void *right)
{
    const struct finding *a = left, *b = right;
    if (a->ask != b->ask)
        return a->ask < b->ask ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return (a->option > b->option) - (a->option < b->option);
}

void decode_sort(struct findings *findings)
{
    if (findings->count)
        qsort(findings->at, findings->count, sizeof *findings->at, better);
}

static bool overlaps(const struct finding *a, const struct finding *b)
{
    return a->last >= b->first && a->first <= b->last;
}

static bool is_same_span(const struct finding *a, const struct finding *b)
{
    return a->first == b->first && a->last == b->last;
}

/* Keeps each finding that does not clash with one kept before it. */
static size_t keep_apart(struct finding *f, size_t count, bool (*clash)(const struct finding *, const struct finding *))
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < kept && !clash(&f[i], &f[j]))
            j++;
        struct finding keep = f[i];
        if (j == kept)
            f[kept++] = keep;
    }
    return kept;
}

size_t decode_without_overlap(struct finding *findings, size_t count)
{
    return keep_apart(findings, count, overlaps);
}

size_t decode_distinct(struct finding *findings, size_t count)
{
    return keep_apart(findings, count, is_same_span);
}

/* Reduces the findings from `from` on, all of one field's list in one window, to those that do not overlap: within a window
 * overlapping spans are readings of one place. Near misses are thinned among themselves. */
static void thin(struct findings *out, size_t from)
{
    struct findings rest = {out->at + from, out->count - from, 0};
    decode_sort(&rest);
    size_t items = 0;
    while (items < rest.count && rest.at[items].kind == FINDING_ITEM)
        items++;
    size_t kept = decode_without_overlap(rest.at, items), near = decode_without_overlap(rest.at + items, rest.count - items);
    memmove(rest.at + kept, rest.at + items, near * sizeof *rest.at);
    out->count = from + kept + near;
}

bool decode_window(const struct model *m, const struct plan *plan, const struct pass *pass, const struct window *window,
                   const struct scores *scores, size_t at, const uint32_t *ends, const struct grid *grid, struct findings *out)
{
    const float *options = scores->option;
    for (size_t i = 0; i < pass->count; i++) {
        const struct ask *ask = &plan->asks[pass->asks[i]];
        struct view v = view_of(pass, window, scores, i, at, ends);
        size_t from = out->count;
        bool ok = true;
        if (ask->kind == ASK_SCALAR)
            ok = decode_scalar(m, &v, out);
        else if (ask->kind == ASK_CHOICE)
            ok = decode_choice(m, &v, options, ask->option_count, out);
        else if (ask->kind == ASK_RECORDS)
            ok = decode_starts(m, &v, out);
        else
            ok = decode_list(m, &v, out);
        if (!ok)
            return false;
        if (ask->kind == ASK_LIST)
            thin(out, from);
        if (ask->is_member && !decode_cells(&v, grid, out))
            return false;
        options += ask->option_count;
    }
    return true;
}
