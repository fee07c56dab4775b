// How a field's values are spread among the store's profiles, and what the one condition keeps of them.
import { useSpread } from "./server.js";

export const perCent = (share) => {
    if (share === 0 || share === 1) return `${share * 100} %`;
    if (share < 0.01) return "under 1 %";
    return share > 0.99 ? "over 99 %" : `${Math.round(share * 100)} %`;
};

export function Spread({ field, share, address }) {
    const spread = useSpread(address, field.name);
    const bars = spread?.bars ?? [];
    const kept = share === undefined ? null : <span class="builder-kept">keeps {perCent(share)} of profiles</span>;
    if (!spread || bars.length === 0) {
        return (
            <div class="builder-spread">
                {kept}
                {spread && <span class="builder-quiet">{nothingToShow(spread)}</span>}
            </div>
        );
    }
    return (
        <details class="builder-spread" data-spread={field.name}>
            <summary title="Show the values that this store's profiles have">
                <Chart bars={bars} isOrdered={spread.isOrdered} label={field.label} />
                {kept}
                <span class="builder-more builder-more-closed">details</span>
                <span class="builder-more builder-more-open">hide</span>
            </summary>
            <table class="builder-table">
                <caption>
                    {field.label}: {spread.note}
                </caption>
                <tbody>
                    {bars.map((bar) => (
                        <tr>
                            <th scope="row">{bar.label}</th>
                            <td class="builder-bar-cell">
                                <Meter share={bar.share} />
                            </td>
                            <td>{perCent(bar.share)}</td>
                        </tr>
                    ))}
                    <tr class="builder-quiet">
                        <th scope="row">not known</th>
                        <td class="builder-bar-cell">
                            <Meter share={1 - spread.known} />
                        </td>
                        <td>{perCent(1 - spread.known)}</td>
                    </tr>
                </tbody>
            </table>
        </details>
    );
}

function nothingToShow(spread) {
    if (spread.known === undefined || spread.known === 0) return spread.known === 0 ? "No profile has it yet." : spread.note;
    return `Known of ${perCent(spread.known)} of profiles, and different for nearly everyone.`;
}

function Meter({ share }) {
    return (
        <svg class="builder-meter" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect class="builder-track" width="100" height="6" />
            <rect class="builder-fill" width={Math.max(0, Math.min(1, share)) * 100} height="6" />
        </svg>
    );
}

const HEIGHT = 22;

function Chart({ bars, isOrdered, label }) {
    const highest = Math.max(...bars.map((bar) => bar.share), 0.001);
    const shown = isOrdered ? bars : bars.slice(0, 8);
    const words = shown.map((bar) => `${bar.label}: ${perCent(bar.share)}`).join(", ");
    return (
        <svg
            class="builder-chart"
            width={shown.length * 11}
            height={HEIGHT}
            viewBox={`0 0 ${shown.length * 10} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`${label} now: ${words}`}
        >
            {shown.map((bar, index) => {
                const height = bar.share === 0 ? 0 : Math.max(1, (bar.share / highest) * HEIGHT);
                return (
                    <g>
                        <title>{`${bar.label}: ${perCent(bar.share)}`}</title>
                        <rect class="builder-track" x={index * 10} y="0" width="9" height={HEIGHT} />
                        <rect class="builder-fill" x={index * 10} y={HEIGHT - height} width="9" height={height} />
                    </g>
                );
            })}
        </svg>
    );
}
